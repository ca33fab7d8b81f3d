"""Words and their speakers."""

from __future__ import annotations

import pytest

from asr_daemon.itn import Span
from asr_daemon.speakers.grouped import Turn
from asr_daemon.speakers.words import attributed
from asr_daemon.transcripts.transcript import Correction, Segment, Token

RAW = "好的我知道了请问几点开会"
TEXT = "好的，我知道了。请问几点开会？"


def segment(
    raw: str = RAW, text: str = TEXT, pauses: dict[int, int] | None = None, index: int = 0
) -> Segment:
    """Return a segment of 200 ms a character; ``pauses``: ms before the character of that number."""
    tokens, at = [], 10_000
    for number, character in enumerate(raw):
        at += (pauses or {}).get(number, 0)
        tokens.append(Token(character, at, at + 200))
        at += 200
    return Segment(index, 10_000, at, raw, text, tuple(tokens))


def texts(segments: list[Segment], *turns: Turn) -> list[tuple[int | None, str]]:
    return [(said.speaker, said.segment.text) for said in attributed(segments, turns)]


def test_a_segment_of_one_speaker_stays_whole() -> None:
    """The very segment, with its speaker; of two turns of the same speaker as well."""
    one = segment()
    [said] = attributed([one], [Turn(9_000, 11_000, 2), Turn(11_000, 13_000, 2)])
    assert said.segment is one
    assert said.speaker == 2


def test_a_segment_is_cut_where_the_speaker_changes() -> None:
    """By the times of the words, and punctuation stays with the word before."""
    assert texts([segment()], Turn(10_000, 11_200, 0), Turn(11_200, 12_400, 1)) == [
        (0, "好的，我知道了。"),
        (1, "请问几点开会？"),
    ]


def test_the_parts_are_segments_in_themselves() -> None:
    """Raw text, tokens and times are each part's own, and nothing is lost."""
    one = segment()
    first, second = (
        said.segment for said in attributed([one], [Turn(10_000, 11_200, 0), Turn(11_200, 12_400, 1)])
    )
    assert first.raw_text == "好的我知道了"
    assert second.raw_text == "请问几点开会"
    assert first.tokens + second.tokens == one.tokens
    assert (first.start_ms, first.end_ms) == (10_000, 11_200)
    assert (second.start_ms, second.end_ms) == (11_200, one.end_ms)
    assert first.index == second.index == one.index


def test_a_change_is_put_at_the_pause_that_is_near() -> None:
    """Sound tells the change to half a second; people change at pauses."""
    one = segment(pauses={6: 500})
    change_ms = one.tokens[8].start_ms  # two characters late
    assert texts([one], Turn(10_000, change_ms, 0), Turn(change_ms, 13_000, 1)) == [
        (0, "好的，我知道了。"),
        (1, "请问几点开会？"),
    ]


def test_a_pause_far_away_moves_nothing() -> None:
    """What the sound says to more than half a second stands."""
    one = segment(pauses={2: 500})
    change_ms = one.tokens[6].start_ms
    assert texts([one], Turn(10_000, change_ms, 0), Turn(change_ms, 13_000, 1))[0] == (0, "好的，我知道了。")


def test_a_number_is_not_cut() -> None:
    """What was written in one, with the words it came from, has one speaker."""
    raw, text = "明天二零二五年三月十五日见", "明天2025年3月15日见"
    one = Segment(
        0, 0, 2600, raw, text,
        tuple(Token(c, 200 * k, 200 * k + 200) for k, c in enumerate(raw)),
        spans=(Span(2, 12, 2, 12, "date", "date"),),
    )  # fmt: skip
    said = attributed([one], [Turn(0, 1600, 0), Turn(1600, 2600, 1)])
    assert "".join(each.segment.text for each in said) == text
    assert any("2025年3月15日" in each.segment.text for each in said)
    for each in said:
        for span in each.segment.spans:
            assert each.segment.text[span.start : span.end] == "2025年3月15日"
            assert each.segment.raw_text[span.raw_start : span.raw_end] == "二零二五年三月十五日"


def test_corrections_and_hotwords_go_with_their_words() -> None:
    """Offsets are the part's own; a hotword is said to be hit where it stands."""
    one = segment()
    one = Segment(
        0, one.start_ms, one.end_ms, RAW, TEXT, one.tokens,
        corrections=(Correction(8, 10, "几点", "几点", "replacement"),), hotwords_hit=("知道", "开会"),
    )  # fmt: skip
    first, second = attributed([one], [Turn(10_000, 11_200, 0), Turn(11_200, 12_400, 1)])
    assert first.segment.corrections == ()
    assert first.segment.hotwords_hit == ("知道",)
    [correction] = second.segment.corrections
    assert second.segment.raw_text[correction.raw_start : correction.raw_end] == "几点"
    assert second.segment.hotwords_hit == ("开会",)


def test_words_beside_all_turns_go_to_the_nearest() -> None:
    """No word is nobody's, where somebody is known to speak."""
    assert texts([segment()], Turn(0, 500, 3), Turn(60_000, 61_000, 4)) == [(3, TEXT)]


def test_without_turns_nobody_is_known() -> None:
    """The text stays; it has no speaker."""
    assert texts([segment()]) == [(None, TEXT)]


def test_an_empty_segment_keeps_its_place() -> None:
    """One that could not be recognised is still a segment."""
    [said] = attributed([Segment(0, 0, 900, "", "", flags=("failed",))], [Turn(0, 900, 1)])
    assert said.segment.flags == ("failed",)
    assert said.speaker == 1


def test_without_times_the_text_is_shared_out() -> None:
    """A model without token times: by length, and no character is lost."""
    one = Segment(0, 0, 2400, RAW, TEXT)
    said = attributed([one], [Turn(0, 1200, 0), Turn(1200, 2400, 1)])
    assert "".join(each.segment.text for each in said) == TEXT
    assert "".join(each.segment.raw_text for each in said) == RAW
    assert len(said) == 2


def test_overlap_is_flagged() -> None:
    """Where most words are said while another speaks."""
    said = attributed([segment()], [Turn(10_000, 11_200, 0), Turn(11_200, 12_400, 1, is_overlapped=True)])
    assert [each.is_overlapped for each in said] == [False, True]


@pytest.mark.parametrize("length_ms", [200, 400, 700])
def test_fast_changes_lose_nothing(length_ms: int) -> None:
    """Whatever the turns: all characters, in order, times that do not run back."""
    turns = [
        Turn(at, at + length_ms, number % 3) for number, at in enumerate(range(9_000, 14_000, length_ms))
    ]
    said = attributed([segment(pauses={3: 300, 7: 200})], turns)
    assert "".join(each.segment.text for each in said) == TEXT
    assert "".join(each.segment.raw_text for each in said) == RAW
    times = [time for each in said for time in (each.segment.start_ms, each.segment.end_ms)]
    assert times == sorted(times)
    assert all(each.segment.text for each in said)
