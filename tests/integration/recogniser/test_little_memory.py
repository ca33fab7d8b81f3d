"""A real child on a device that is too small for its batches, for its segments, for anything."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import DEMO, REPOSITORY, Driver, builtin_setup

from asr_daemon.dispatch.protocol import Failed, Finished, Ready
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.seaco import SeacoParaformer
from asr_daemon.recogniser.limit import BYTES_PER_PADDED_S, choose_bound_s
from asr_daemon.recogniser.memory import free_bytes
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

pytestmark = pytest.mark.slow

ODD = os.fspath(Path(__file__).parents[2] / "odd_recogniser.py")


def with_room(room_s: float, **changes: object) -> Driver:
    """Start a child whose device holds so many padded seconds."""
    return Driver(builtin_setup(**changes), program=(ODD, "little-memory", str(room_s)))


def steps(driver: Driver) -> list[object]:
    """Return what was halved, in order."""
    return [note.fields["step"] for note in driver.notes if note.event == "batch_out_of_memory"]


def test_batches_that_do_not_fit_change_no_word(driver: Driver) -> None:
    """Every segment fits alone: the same segments as with all the memory in the world."""
    small = with_room(12)
    tight, roomy = small.transcribe(DEMO / "support.mp3"), driver.transcribe(DEMO / "support.mp3")
    assert isinstance(tight.end, Finished)
    assert steps(small)
    assert set(steps(small)) == {"batch"}
    assert sorted(tight.segments, key=lambda one: one.index) == sorted(
        roomy.segments, key=lambda one: one.index
    )
    small.child.kill()


def test_child_that_begins_small_needs_no_halving() -> None:
    """After want of memory the next process tries one segment at a time first, and finishes."""
    small = with_room(12, begins_small=True, batch_s=33.0)
    assert isinstance(small.first, Ready)
    assert small.first.bound_s == 33.0, "what the configuration asks for"
    assert isinstance(small.transcribe(DEMO / "support.mp3").end, Finished)
    assert steps(small) == []
    small.child.kill()


def test_segments_that_do_not_fit_are_recognised_in_parts(driver: Driver) -> None:
    """Their text is whole but for a character where they were cut, and flagged; no job fails."""
    small = with_room(3)
    tight, roomy = small.transcribe(DEMO / "lecture.wav"), driver.transcribe(DEMO / "lecture.wav")
    assert isinstance(tight.end, Finished)
    split = [segment for segment in tight.segments if "split" in segment.flags]
    assert split
    assert [segment.flags for segment in tight.segments if segment not in split] == [()] * (
        len(tight.segments) - len(split)
    )
    assert len(tight.text) >= 0.9 * len(roomy.text)
    places = [(segment.index, segment.start_ms, segment.end_ms) for segment in tight.segments]
    assert sorted(places) == roomy.places
    assert "segment" in steps(small)
    small.child.kill()


def test_device_without_room_costs_the_recording_and_not_the_child() -> None:
    """The failure has its class and torch's words; the child lives on and fails the next one alike."""
    small = with_room(0.5)
    for name in ("lecture.wav", "support.mp3"):
        end = small.transcribe(DEMO / name).end
        assert isinstance(end, Failed)
        assert end.code == "out_of_memory"
        assert "memory of cpu" in end.message
        assert "Tried to allocate 2.00 GiB" in end.evidence
    small.child.kill()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_bound_on_a_card_holds_for_the_batches_that_it_allows() -> None:
    """A batch of the whole bound takes no more of the card than what the bound was reckoned with."""
    free = free_bytes("cuda:0")
    assert free is not None
    bound_s = choose_bound_s("cuda:0", "seaco_paraformer", free)
    family = SeacoParaformer(REPOSITORY / "asr_daemon" / "models" / "paraformer-tiny-zh", "cuda:0", 1)
    sounds = np.random.default_rng(3).normal(0, 0.1, (int(bound_s) // 20, 20 * SAMPLE_RATE_HZ))
    batch = [family.prepare(sound) for sound in sounds.astype(np.float32)]
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    family.transcribe(batch, Request())
    taken = torch.cuda.max_memory_allocated() - before
    assert taken <= 20 * len(batch) * BYTES_PER_PADDED_S["seaco_paraformer"]
