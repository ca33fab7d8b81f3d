"""From model tokens to text and times."""

from __future__ import annotations

from asr_daemon.recogniser.families.words import join, timed
from asr_daemon.transcripts.transcript import Token


def test_only_words_of_other_scripts_are_spaced() -> None:
    """Chinese runs on; English and Korean words stay apart."""
    assert join(["我", "用", "hello", "world", "测", "试"]) == "我用hello world测试"
    assert join(["안녕하세요", "여러분"]) == "안녕하세요 여러분"
    assert join([]) == ""


def test_times_stay_within_the_segment_and_in_order() -> None:
    """A model's time past the end of the segment, or before the last word, is put right."""
    tokens = timed(["一", "二", "三"], [(10, 200), (150, 300), (300, 2000)], 1000)
    assert tokens == (Token("一", 10, 200), Token("二", 200, 300), Token("三", 300, 1000))


def test_missing_times_are_spread() -> None:
    """Where words and times do not pair, every word still has a time."""
    assert timed(["一", "二"], [(0, 5)], 1000) == (Token("一", 0, 500), Token("二", 500, 1000))
