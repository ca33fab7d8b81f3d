"""What a page marks in a transcript, and when each piece of it is spoken."""

from __future__ import annotations

from asr_daemon.control.console_answers import Mark
from asr_daemon.control.console_desk import read_passage, read_times
from asr_daemon.itn import Span
from asr_daemon.transcripts.transcript import Correction, Segment, Token


def segment() -> Segment:
    """Return one with a number, a hotword that was put right, and punctuation; a token lasts 100 ms."""
    raw = "请顾清源批三百元给王敏"
    tokens = tuple(Token(char, 1000 + 100 * at, 1100 + 100 * at) for at, char in enumerate(raw))
    return Segment(
        4,
        1000,
        2200,
        raw,
        "请顾清源批300元，给王敏。",
        tokens,
        spans=(Span(5, 8, 5, 9, "money", "amount"),),
        corrections=(
            Correction(1, 4, "古清元", "顾清源", "phonetic"),
            Correction(9, 11, "王明", "王敏", "replacement"),
        ),
        hotwords_hit=("顾清源",),
    )


def test_numbers_hotwords_and_corrections_are_marked_with_what_was_said() -> None:
    """In the order of the text, none over another."""
    assert read_passage(segment()).marks == (
        Mark(1, 4, "hotword", "古清元"),
        Mark(5, 9, "number", "三百元"),
        Mark(11, 13, "corrected", "王明"),
    )


def test_pieces_cover_the_text_with_the_times_of_their_words() -> None:
    """Lengths add up to the text; a number has the time of the words that it was said with."""
    passage = read_passage(segment())
    times = read_times(segment()).times
    lengths, begins, ends = times[0::3], times[1::3], times[2::3]
    assert sum(lengths) == len(passage.text)
    assert list(begins) == sorted(begins)
    place = lengths[:5]
    assert place == (1, 1, 1, 1, 1)
    assert (lengths[5], begins[5], ends[5]) == (5, 1500, 1800)
