"""The time that is left for the queue, from what is known: about, and never out of thin air."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from way import Way

from asr_daemon.control import status
from asr_daemon.control.estimate import Ahead, Done, Underway, estimate
from asr_daemon.views.status import _about

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = 10_000.0


def wav(duration_s: float, began_s: float, ended_s: float) -> Done:
    """Return a finished recording of 32,000 bytes a second."""
    return Done("done.wav", round(32_000 * duration_s), duration_s, began_s, ended_s)


def test_nothing_is_said_before_anything_is_known() -> None:
    """No work, no finished recording, a recording in work that has brought nothing yet: None."""
    ahead = [Ahead(1, "a.wav", 32_000)]
    assert estimate([], {}, [wav(100, 0, 10)], NOW_S) is None
    assert estimate(ahead, {}, [], NOW_S) is None
    assert estimate(ahead, {1: Underway(None, 0.0, 5.0)}, [], NOW_S) is None
    assert estimate(ahead, {1: Underway(None, 10.0, 5.0)}, [], NOW_S) is None, "its length is not known"


def test_sizes_become_lengths_by_the_suffix() -> None:
    """A megabyte of m4a lasts longer than one of wav; upper case is no other suffix; a new one is as all."""
    done = [wav(100, 0, 10), Done("b.M4A", 800_000, 100, 10, 20)]
    (wave, m4a, other) = (
        estimate([Ahead(1, name, 1_600_000)], {}, done, NOW_S) for name in ("x.WAV", "x.m4a", "x.ogg")
    )
    assert wave
    assert m4a
    assert other
    assert wave.audio_s == pytest.approx(50)
    assert m4a.audio_s == pytest.approx(200)
    assert other.audio_s == pytest.approx(1_600_000 / (4_000_000 / 200))
    assert (wave.rtfx, wave.remaining_s) == (pytest.approx(10), pytest.approx(5))


def test_recordings_at_once_share_their_time_and_idle_hours_do_not_count() -> None:
    """Two that ran together for ten seconds took ten seconds; the night between took none."""
    done = [wav(100, 0, 10), wav(100, 0, 10), wav(100, 5000, 5005)]
    found = estimate([Ahead(1, "a.wav", 32_000 * 300)], {}, done, NOW_S)
    assert found
    assert found.rtfx == pytest.approx(300 / 15)
    assert found.remaining_s == pytest.approx(15)


def test_recording_in_work_counts_with_what_is_left_of_it() -> None:
    """Its real length is known; half of it is done, and its speed counts along."""
    ahead = [Ahead(1, "a.wav", 1), Ahead(2, "b.wav", 1)]
    underway = {1: Underway(1000.0, 500.0, 50.0), 2: Underway(1000.0, 0.0, 50.0)}
    found = estimate(ahead, underway, [], NOW_S)
    assert found
    assert found.audio_s == pytest.approx(1500)
    assert found.rtfx == pytest.approx(10)
    assert found.remaining_s == pytest.approx(150)


def test_first_recording_of_all_has_an_estimate_from_its_own_progress() -> None:
    """What waits behind it has one only with a length to go by."""
    underway = {1: Underway(100.0, 50.0, 10.0)}
    assert estimate([Ahead(1, "a.wav", 1)], underway, [], NOW_S)
    assert estimate([Ahead(1, "a.wav", 1), Ahead(2, "b.wav", 1)], underway, [], NOW_S) is None


def test_history_is_asked_for_each_piece_of_work_once(tmp_path: Path) -> None:
    """A copy of a waiting recording adds nothing; what is done counts with its own time."""
    way = Way(tmp_path)
    way.put("done.wav", b"d" * 32_000)
    job = way.claim()
    way.time.pass_s(2.0)
    way.finish(job.id, *["一"] * 20)
    way.put("a.wav", b"a" * 64_000)
    way.put("copy.wav", b"a" * 64_000)
    way.put("b.mp3", b"b" * 64_000)
    found = status._estimate(way.history, [], way.time.clock.now())
    assert found == {"audio_s": 80.0, "rtfx": 10.0, "remaining_s": 8.0}


def test_people_read_no_false_precision() -> None:
    """Minutes, then tens of minutes, then days."""
    shown = [_about(seconds) for seconds in (0, 50, 59 * 60, 61 * 60, 7.4 * 3600, 3.4 * 86_400)]
    assert shown == ["1 min", "1 min", "59 min", "1 h 0 min", "7 h 20 min", "3 days"]
