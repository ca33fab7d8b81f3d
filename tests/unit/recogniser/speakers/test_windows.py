"""Where windows lie, and what is in them."""

from __future__ import annotations

import numpy as np
import pytest

from asr_daemon.recogniser.speakers.windows import WINDOW_SAMPLES, places, sound

STEP = 12_000  # 750 ms


def test_a_segment_is_covered_to_its_end() -> None:
    """The last window ends with the segment, wherever the steps fall."""
    assert places(60_000, STEP) == [(0, 24_000), (12_000, 36_000), (24_000, 48_000), (36_000, 60_000)]
    assert places(65_000, STEP)[-1] == (41_000, 65_000)
    assert places(60_800, STEP)[-1] == (36_000, 60_000)  # 50 ms more are not worth a window


def test_windows_may_lie_apart() -> None:
    """On a processor not all sound is heard."""
    assert places(100_000, 36_000) == [(0, 24_000), (36_000, 60_000), (72_000, 96_000), (76_000, 100_000)]


@pytest.mark.parametrize(("length", "count"), [(0, 0), (1_599, 0), (1_600, 1), (24_000, 1), (24_001, 1)])
def test_short_segments(length: int, count: int) -> None:
    """A click has no voice; a word has one window."""
    assert len(places(length, STEP)) == count


def test_a_short_window_goes_round() -> None:
    """It is repeated until it is as long as the others, not padded with silence."""
    samples = np.arange(1, 10_001, dtype=np.float32)
    whole = sound(samples, (0, 10_000))
    assert len(whole) == WINDOW_SAMPLES
    np.testing.assert_array_equal(whole[10_000:20_000], samples)
    np.testing.assert_array_equal(sound(np.ones(30_000, np.float32), (6_000, 30_000)), np.ones(24_000))
