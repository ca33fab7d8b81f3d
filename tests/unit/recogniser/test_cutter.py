"""Segments: padded, no longer than allowed, the same however the recording is cut into windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_daemon.recogniser.segmenter.cutter import Cutter
from asr_daemon.recogniser.segmenter.silero import FRAME_SAMPLES, SileroDetector, SileroRule
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ


class LoudnessNetwork:
    """Stands for the network: a frame is speech when it is loud."""

    def begin(self) -> None:
        """Nothing is carried over."""

    def probabilities(self, samples: np.ndarray, _state: None) -> np.ndarray:
        """Return one probability a frame."""
        return np.abs(samples).reshape(-1, FRAME_SAMPLES).max(axis=1)


def sound(*parts: tuple[float, float]) -> np.ndarray:
    """Return parts of (seconds, loudness) one after the other."""
    return np.concatenate([np.full(int(s * SAMPLE_RATE_HZ), loud, np.float32) for s, loud in parts])


def cut(audio: np.ndarray, sizes: list[int], max_segment_s: float = 30, silence_ms: int = 800) -> list:
    """Cut a recording that arrives in windows of those sizes (the last one repeats)."""
    cutter = Cutter(SileroDetector(LoudnessNetwork(), silence_ms), max_segment_s)
    found, at, turn = [], 0, 0
    while at < len(audio):
        size = sizes[min(turn, len(sizes) - 1)]
        found += cutter.feed(audio[at : at + size])
        at, turn = at + size, turn + 1
    return found + cutter.finish()


def test_speech_is_padded_and_silence_left_out() -> None:
    """A stretch of speech comes with up to 200 ms on either side."""
    audio = sound((2, 0), (1, 0.9), (2, 0))
    (only,) = cut(audio, [16_000])
    assert only.start_ms == pytest.approx(1800, abs=33)
    assert only.end_ms == pytest.approx(3200, abs=33)
    assert np.array_equal(only.samples, audio[only.start_ms * 16 : only.end_ms * 16])


def test_max_end_silence_decides_what_is_one_segment() -> None:
    """A pause of 500 ms divides at 300 ms, and does not at 800 ms."""
    audio = sound((1, 0), (1, 0.9), (0.5, 0), (1, 0.9), (2, 0))
    assert len(cut(audio, [4000], silence_ms=300)) == 2
    assert len(cut(audio, [4000], silence_ms=800)) == 1


def test_long_speech_is_cut_at_its_quietest_point() -> None:
    """Speech beyond the limit is divided in the dip, not where the limit falls."""
    audio = sound((7.0, 0.9), (0.3, 0.6), (6, 0.9), (1, 0))
    first, second = cut(audio, [16_000], max_segment_s=10)
    assert 7000 <= first.end_ms <= 7300
    assert second.start_ms == first.end_ms


def test_endless_speech_costs_bounded_memory() -> None:
    """Hours without a pause leave no more than a segment and a window in memory."""
    cutter = Cutter(SileroDetector(LoudnessNetwork(), 800), 30)
    window = sound((30, 0.9))
    count = 0
    for _ in range(40):
        count += len(cutter.feed(window))
        assert len(cutter._audio) <= 61 * SAMPLE_RATE_HZ
    assert count >= 38


def test_the_end_of_the_recording_ends_the_segment() -> None:
    """Speech up to the last sample is kept to the last sample."""
    audio = sound((1, 0), (1.01, 0.9))
    (only,) = cut(audio, [7777])
    assert only.end_ms == 2010
    assert len(only.samples) == len(audio) - only.start_ms * 16


@settings(max_examples=30, deadline=None)
@given(
    parts=st.lists(st.tuples(st.floats(0.05, 4), st.sampled_from([0.0, 0.4, 0.6, 0.9])), max_size=12),
    sizes=st.lists(st.integers(100, 40_000), min_size=1, max_size=6),
    seed=st.integers(0, 5),
)
def test_windows_do_not_matter(parts: list[tuple[float, float]], sizes: list[int], seed: int) -> None:
    """However the recording is cut into windows, the segments are the same, in order and within the limit."""
    audio = np.concatenate([np.empty(0, np.float32), *[sound(part) for part in parts]])
    audio *= 1 - 0.02 * np.random.default_rng(seed).random(len(audio), dtype=np.float32)
    whole = cut(audio, [max(len(audio), 1)], max_segment_s=3)
    pieces = cut(audio, sizes, max_segment_s=3)
    assert [(s.start_ms, s.end_ms) for s in whole] == [(s.start_ms, s.end_ms) for s in pieces]
    for one, other in zip(whole, pieces, strict=True):
        assert np.array_equal(one.samples, other.samples)
        assert len(one.samples) <= 3 * SAMPLE_RATE_HZ + 16
    for before, after in itertools.pairwise(whole):
        assert before.end_ms <= after.start_ms


@settings(max_examples=100, deadline=None)
@given(
    probabilities=st.lists(st.sampled_from([0.0, 0.2, 0.36, 0.45, 0.5, 0.8, 1.0]), max_size=200),
    silence_ms=st.sampled_from([100, 300, 800]),
)
def test_the_rule_is_silero_s_own(probabilities: list[float], silence_ms: int) -> None:
    """Frame for frame the same stretches as the function in the silero-vad package."""
    from silero_vad.utils_vad import get_speech_timestamps_from_probs  # noqa: PLC0415

    probabilities = [*probabilities, *[0.0] * 40]
    theirs = get_speech_timestamps_from_probs(
        probabilities, min_silence_duration_ms=silence_ms, min_speech_duration_ms=90, speech_pad_ms=0
    )
    rule = SileroRule(silence_ms, min_speech_ms=90)
    half = len(probabilities) // 2
    ours = rule.feed(np.array(probabilities[:half])) + rule.feed(np.array(probabilities[half:]))
    assert ours == [(found["start"], found["end"]) for found in theirs]
