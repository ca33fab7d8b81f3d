"""From raw to written text: each step once, and every written character still knows where it came from."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_daemon.itn import Span
from asr_daemon.recogniser.alignment import compose, insert, spans_of
from asr_daemon.recogniser.families.family import Spoken
from asr_daemon.recogniser.postprocess import Postprocessor
from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Correction, Token

if TYPE_CHECKING:
    from collections.abc import Sequence


def rewrite(text: str, spans: Sequence[Span], pieces: Sequence[str]) -> str:
    """Apply a rewriting, given what each span is replaced by."""
    out, at = "", 0
    for span, piece in zip(spans, pieces, strict=True):
        out += text[at : span.raw_start] + piece
        at = span.raw_end
    return out + text[at:]


@st.composite
def rewritings(draw: st.DrawFn, length: int) -> tuple[list[Span], list[str]]:
    """Draw spans over a text of that length, and what replaces them."""
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=8, unique=True)))
    spans, pieces, shift = [], [], 0
    for low, high in zip(cuts[::2], cuts[1::2], strict=False):
        piece = draw(st.text("xyz", max_size=4))
        spans.append(Span(low, high, low + shift, low + shift + len(piece), "k", "r"))
        pieces.append(piece)
        shift += len(piece) - (high - low)
    return spans, pieces


@given(data=st.data(), text=st.text("abcdefg", max_size=20))
def test_composed_spans_leave_the_rest_unchanged(data: st.DataObject, text: str) -> None:
    """Outside the composed spans raw and last text are equal; spans are in order and cover the change."""
    first, first_pieces = data.draw(rewritings(len(text)))
    between = rewrite(text, first, first_pieces)
    second, second_pieces = data.draw(rewritings(len(between)))
    last = rewrite(between, second, second_pieces)
    composed = compose(first, second)
    assert rewrite(text, composed, [last[span.start : span.end] for span in composed]) == last
    for before, after in itertools.pairwise(composed):
        assert before.raw_end <= after.raw_start
        assert before.end <= after.start


def test_corrections_become_spans() -> None:
    """Offsets move with what was replaced before."""
    corrections = (Correction(0, 2, "预散", "预算表", "phonetic"), Correction(4, 5, "x", "", "replacement"))
    assert [(s.start, s.end) for s in spans_of(corrections)] == [(0, 3), (5, 5)]


def test_marks_are_inserted_where_they_belong_and_never_into_a_number() -> None:
    """Punctuation follows its character into the written form; inside a rewritten number it is left out."""
    raw = "一共三点五元好的"
    spans = (Span(2, 6, 2, 6, "number", "r"),)
    text, moved = insert("一共3.5元好的", [(2, "，"), (4, "，"), (6, "。"), (8, "？")], spans)
    assert text == "一共，3.5元。好的？"
    assert raw[:2] + text[moved[0].start : moved[0].end] == "一共，"
    number = next(span for span in moved if span.kind == "number")
    assert text[number.start : number.end] == "3.5元"
    assert (number.raw_start, number.raw_end) == (2, 6)


def make(
    profile: Profile, punctuator: Marks | None = None, *, model_writes_numbers: bool = False
) -> tuple[Postprocessor, list[tuple[str, dict]]]:
    """Return a postprocessor and the notes it makes."""
    notes: list[tuple[str, dict]] = []
    return (
        Postprocessor(
            profile,
            model_writes_numbers=model_writes_numbers,
            punctuator=punctuator,
            note=lambda _level, event, fields: notes.append((event, fields)),
        ),
        notes,
    )


SPOKEN = Spoken("一千二百三十四元", (Token("一", 0, 100),))


def test_a_segment_is_normalised_with_absolute_times() -> None:
    """Raw text stays; the text is written form; token times count from the recording's start."""
    post, notes = make(Profile("m"))
    segment = post.segment(3, 5000, 8000, SPOKEN)
    assert (segment.raw_text, segment.text) == ("一千二百三十四元", "1234元")
    assert segment.tokens == (Token("一", 5000, 5100),)
    assert segment.spans
    assert notes == []


def test_text_is_normalised_exactly_once() -> None:
    """Not when the inbox says no, nor when the model did it itself."""
    assert make(Profile("m", itn=False))[0].segment(0, 0, 1, SPOKEN).text == SPOKEN.text
    assert make(Profile("m"), model_writes_numbers=True)[0].segment(0, 0, 1, SPOKEN).text == SPOKEN.text


def test_replacement_and_normalisation_map_back_to_the_raw_text() -> None:
    """A replaced word and a number after it both keep their place in what was said."""
    profile = Profile(
        "m", hotwords=("顾清源",), replacements=(("古清原", "顾清源"),), phonetic_correction=False
    )
    segment = make(profile)[0].segment(0, 0, 1, Spoken("古清原付了一千二百三十四元"))
    assert segment.text == "顾清源付了1234元"
    assert segment.hotwords_hit == ("顾清源",)
    assert [(c.before, c.after) for c in segment.corrections] == [("古清原", "顾清源")]
    for span in segment.spans:
        raw, written = segment.raw_text[span.raw_start : span.raw_end], segment.text[span.start : span.end]
        assert (raw, written) == ("古清原", "顾清源") or written[:4].isdigit()


class Marks:
    """A punctuator that marks the end, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def marks(self, text: str) -> list[tuple[int, str]]:
        """Return one mark at the end."""
        if self.error:
            raise self.error
        return [(len(text), "。")]


def test_punctuation_is_added_to_the_written_form() -> None:
    """The mark stands behind the number."""
    assert make(Profile("m"), Marks())[0].segment(0, 0, 1, SPOKEN).text == "1234元。"


def test_a_failing_step_costs_that_step_and_is_said_once() -> None:
    """Text without punctuation is better than none; the log has one line a job."""
    post, notes = make(Profile("m"), Marks(RuntimeError("no")))
    assert [post.segment(index, 0, 1, SPOKEN).text for index in range(3)] == ["1234元"] * 3
    assert [event for event, _ in notes] == ["postprocessing_failed"]
    assert notes[0][1]["step"] == "punctuation"


@pytest.mark.parametrize("flags", [("empty",), ("failed",)])
def test_an_empty_segment_stays_empty(flags: tuple[str, ...]) -> None:
    """Nothing is made of nothing; the flags are kept."""
    segment = make(Profile("m"), Marks())[0].segment(0, 0, 1, Spoken("", flags=flags))
    assert (segment.text, segment.raw_text, segment.flags) == ("", "", flags)


class Commas:
    """A punctuator that puts a comma behind a word."""

    def __init__(self, word: str) -> None:
        self.word = word

    def marks(self, text: str) -> list[tuple[int, str]]:
        """Return one mark behind the first occurrence."""
        place = text.find(self.word)
        return [] if place < 0 else [(place + len(self.word), "，")]


def said(text: str, *pauses_before: int) -> Spoken:
    """Return a text whose every character takes 200 ms, with 300 ms of nothing before some."""
    tokens, at = [], 0
    for place, character in enumerate(text):
        at += 300 * (place in pauses_before)
        tokens.append(Token(character, at, at + 200))
        at += 200
    return Spoken(text, tuple(tokens))


def test_a_mark_ends_a_number() -> None:
    """Punctuation comes first: what stands on its two sides is read apart, and maps back to what was said."""
    segment = make(Profile("m"), Commas("七百五"))[0].segment(0, 0, 1, Spoken("上月七百五三百人来"))
    assert segment.text == "上月750，300人来"
    assert [segment.raw_text[s.raw_start : s.raw_end] for s in segment.spans] == ["七百五", "", "三百"]
    assert [segment.text[s.start : s.end] for s in segment.spans] == ["750", "，", "300"]


def test_no_mark_is_put_into_a_number() -> None:
    """A breath within a telephone's number is no comma."""
    segment = make(Profile("m"), Commas("幺三八"))[0].segment(0, 0, 1, Spoken("打幺三八零零幺三八零零零"))
    assert segment.text == "打13800138000"


def test_a_pause_ends_a_number_where_nobody_writes_marks() -> None:
    """Three tenths of a second part two numbers; without them they are one; with marks they do not count."""
    text = "给了一百二十个人来"
    post = make(Profile("m"))[0]
    assert post.segment(0, 0, 1, said(text)).text == "给了120个人来"
    assert post.segment(0, 0, 1, said(text, 4)).text == "给了100二十个人来"
    with_marks = make(Profile("m"), Commas("人"))[0]
    assert with_marks.segment(0, 0, 1, said(text, 4)).text == "给了120个人，来"


def test_a_pause_is_followed_through_a_correction() -> None:
    """The border lies where the pause was, though a correction before it made the text longer."""
    profile = Profile("m", replacements=(("李雷", "李雷雷"),), phonetic_correction=False)
    segment = make(profile)[0].segment(0, 0, 1, said("李雷给了一百二十个人", 6))
    assert segment.text == "李雷雷给了100二十个人"


def test_a_pause_within_a_telephone_number_is_a_breath() -> None:
    """Figures said in groups are one number."""
    segment = make(Profile("m"))[0].segment(0, 0, 1, said("打幺三八零零幺三八零零零", 4, 8))
    assert segment.text == "打13800138000"


def test_listed_words_keep_their_numerals() -> None:
    """A hotword, and what a replacement writes, is written as somebody listed it, beside other numbers."""
    profile = Profile(
        "m",
        hotwords=("张三十", "十五 号院"),
        replacements=(("二十里谱", "二十里铺设计院"),),
        phonetic_correction=False,
    )
    segment = make(profile)[0].segment(0, 0, 1, Spoken("张三十点了二十五个菜送到十五号院和二十里谱"))
    assert segment.text == "张三十点了25个菜送到十五号院和二十里铺设计院"
    assert segment.hotwords_hit == ("张三十", "十五 号院")


def test_another_recording_hears_of_its_own_failures() -> None:
    """Tables are shared by recordings of a profile; what was said once is said once for each."""

    class Failing:
        """A punctuation model that does not work."""

        def marks(self, text: str) -> Sequence[tuple[int, str]]:
            """Fail."""
            raise ValueError(text)

    said: list[str] = []
    first = Postprocessor(
        Profile("m"),
        model_writes_numbers=False,
        punctuator=Failing(),
        note=lambda _level, event, _fields: said.append(event),
    )
    for recording in (first.for_another(), first.for_another()):
        for _ in range(2):
            assert recording.segment(0, 0, 1000, Spoken("一百二十三")).text == "123"
    assert said == ["postprocessing_failed"] * 2
