"""What of a growing sentence is called stable."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asr_daemon.recogniser.families.family import Spoken
from asr_daemon.recogniser.families.words import join
from asr_daemon.recogniser.live.agreement import READ_AT_MOST_MS, Agreement
from asr_daemon.transcripts.transcript import Token

SYLLABLE_MS = 200


def reading(text: str, *, with_times: bool = True) -> Spoken:
    """Return a reading, a syllable each 200 ms."""
    words = text.split() if " " in text else list(text)
    tokens = tuple(Token(word, at * SYLLABLE_MS, (at + 1) * SYLLABLE_MS) for at, word in enumerate(words))
    return Spoken(join(words), tokens if with_times else ())


def test_stable_is_what_two_readings_agree_on() -> None:
    """The first reading is no agreement; the end of each may still change."""
    agreement = Agreement(1000)
    first = agreement.take(reading("今天气"), 2000)
    assert (first.stable, first.text) == ("", "今天气")
    second = agreement.take(reading("今天天气很"), 2500)
    assert (second.stable, second.text) == ("今天", "今天天气很")
    third = agreement.take(reading("今天天气很好"), 3000)
    assert (third.stable, third.text) == ("今天天气很", "今天天气很好")


def test_what_was_called_stable_stays_where_a_later_reading_contradicts_it() -> None:
    """What follows is taken by its time: nothing is said twice, nothing is left out."""
    agreement = Agreement(0)
    agreement.take(reading("今天天气"), 800)
    agreement.take(reading("今天天气很"), 1000)
    told = agreement.take(reading("明天天气很好吗"), 1400)
    assert (told.stable, told.text) == ("今天天气很", "今天天气很好吗")


def test_words_of_other_scripts_are_whole() -> None:
    """Half an English word is never stable, and words keep their blanks."""
    agreement = Agreement(0)
    agreement.take(reading("we sp"), 400)
    told = agreement.take(reading("we speak slowly"), 800)
    assert (told.stable, told.text) == ("we", "we speak slowly")


def test_models_that_give_no_times_are_read_by_words() -> None:
    """Then a contradiction keeps what was stable, too."""
    agreement = Agreement(0)
    agreement.take(reading("今天 open 了", with_times=False), 400)
    told = agreement.take(reading("今天 open 了门", with_times=False), 800)
    assert told.stable == "今天open了"
    told = agreement.take(reading("明天 open 了门吗", with_times=False), 800)
    assert told.stable.startswith("今天open了")


def test_long_sentence_is_read_from_a_pause_within_what_is_stable_on() -> None:
    """A reading never costs more than some ten seconds; the text before stays, and goes on without a gap."""
    agreement = Agreement(0)
    sentence = "".join(chr(0x4E00 + number) for number in range(200))  # 40 s
    for heard in range(10, 200, 3):
        first = agreement.from_ms // SYLLABLE_MS
        told = agreement.take(reading(sentence[first:heard]), heard * SYLLABLE_MS)
        assert told.text == sentence[:heard]
        assert heard * SYLLABLE_MS - agreement.from_ms <= READ_AT_MOST_MS + 3 * SYLLABLE_MS
    assert agreement.from_ms > 20_000


@given(st.lists(st.text("甲乙丙丁", max_size=12), max_size=12))
def test_whatever_is_read_the_stable_part_only_grows(readings: list[str]) -> None:
    """And the text begins with it."""
    agreement = Agreement(0)
    before = ""
    for number, text in enumerate(readings):
        told = agreement.take(reading(text), number * 500)
        assert told.stable.startswith(before)
        assert told.text.startswith(told.stable)
        before = told.stable
