"""Batches: of one request, of like lengths, never over the bound; nothing starves, memory is bounded."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.pool import Pool, Waiting, batch_around
from asr_daemon.recogniser.segmenter.cutter import Stretch


@dataclass(eq=False)
class FakeJob:
    """As much of a job as the pool looks at."""

    request: Request = field(default_factory=Request)
    is_open: bool = True
    share: str = ""
    weight: float = 1.0


def waiting(length_s: float, job: FakeJob | None = None, index: int = 0) -> Waiting:
    """Return a waiting segment of that length."""
    samples = np.zeros(int(length_s * 16_000), np.float32)
    return Waiting(job or FakeJob(), index, Stretch(0, int(length_s * 1000), samples), None)


@given(
    lengths=st.lists(st.integers(1, 600), min_size=1, max_size=30),
    bound_s=st.integers(1, 100),
    most=st.integers(1, 10),
)
def test_a_batch_never_exceeds_its_bound(lengths: list[int], bound_s: int, most: int) -> None:
    """Padded seconds and number stay within the bounds; only a lone segment may be longer."""
    segments = [waiting(length / 10) for length in lengths]
    batch = batch_around(segments[0], segments, bound_s, most)
    assert segments[0] in batch
    assert len(batch) <= most
    longest_s = max(one.length_s for one in batch)
    assert len(batch) == 1 or longest_s * len(batch) <= bound_s


def test_recordings_share_a_batch_only_with_the_same_hotwords() -> None:
    """Segments of two recordings go together when their requests are equal, and not otherwise."""
    words = FakeJob(Request(hotwords=("甲",)))
    same = FakeJob(Request(hotwords=("甲",)))
    other = FakeJob(Request(hotwords=("乙",)))
    segments = [waiting(1, words), waiting(1, other), waiting(1, same)]
    batch = batch_around(segments[0], segments, 100, 10)
    assert {one.job for one in batch} == {words, same}


def test_like_lengths_go_together() -> None:
    """Little is padded: the neighbours in length join, not the next in time."""
    segments = [waiting(2), waiting(20), waiting(2.1), waiting(19), waiting(1.9)]
    batch = batch_around(segments[0], segments, 7, 10)
    assert sorted(one.length_s for one in batch) == [1.9, 2.0, 2.1]


def test_the_oldest_segment_is_always_served_next() -> None:
    """A long segment among many short ones that keep coming does not wait for ever."""
    pool = Pool(most_s=1000)
    old = waiting(30)
    pool.put([old])
    pool.put([waiting(1) for _ in range(50)])
    assert old in pool.take(30, 8, lambda: False)


def test_recordings_take_turns_in_batches() -> None:
    """A recording that came later is served after the batch in hand, not after all that waits before it."""
    pool = Pool(most_s=1000)
    long, short = FakeJob(), FakeJob()
    pool.put([waiting(10, long, index) for index in range(20)])
    assert {one.job for one in pool.take(20, 2, lambda: False)} == {long}
    pool.put([waiting(1, short)])
    assert short in {one.job for one in pool.take(20, 2, lambda: False)}
    assert {one.job for one in pool.take(20, 2, lambda: False)} == {long}


def test_a_full_pool_holds_back_the_decoder() -> None:
    """A recording with segments waiting gets no further turn until a batch was taken; a new one does."""
    pool = Pool(most_s=5)
    long, short = FakeJob(), FakeJob()
    assert pool.has_room(long)  # type: ignore[arg-type]
    pool.put([waiting(6, long)])
    assert not pool.has_room(long)  # type: ignore[arg-type]
    assert pool.has_room(short)  # type: ignore[arg-type]
    went_on = threading.Event()
    thread = threading.Thread(target=lambda: (pool.wait_for(lambda: pool.has_room(long)), went_on.set()))  # type: ignore[arg-type]
    thread.start()
    assert not went_on.wait(0.05)
    pool.take(10, 1, lambda: False)
    assert went_on.wait(5)
    thread.join()


def test_segments_of_an_ended_job_are_forgotten() -> None:
    """Dropping a job frees its room and leaves the others."""
    pool = Pool(most_s=100)
    gone, stays = FakeJob(), FakeJob()
    pool.put([waiting(1, gone), waiting(1, stays)])
    gone.is_open = False
    pool.drop(gone)
    pool.put([waiting(1, gone)])
    assert [one.job for one in pool.take(100, 10, lambda: False)] == [stays]


def test_closing_lets_everybody_go() -> None:
    """Neither a waiting decoder nor a waiting device outlives the pool."""
    pool = Pool(most_s=1)
    waits = threading.Thread(target=pool.wait_for, args=(lambda: False,))
    waits.start()
    pool.close()
    waits.join(5)
    assert not waits.is_alive()
    assert not pool.wait_for(lambda: True)
    assert pool.take(10, 1, lambda: False) == []


def test_inboxes_share_the_device_whoever_has_more_recordings() -> None:
    """Six calls of one inbox and a lecture of another: each gets half, and a third one's weight counts."""
    pool = Pool(most_s=1e9)
    jobs = [FakeJob(share="calls") for _ in range(6)]
    jobs += [FakeJob(share="lecture"), FakeJob(share="law", weight=2.0)]
    for job in jobs:
        pool.put([waiting(2, job, index) for index in range(100)])
    owners = [one.job.share for _ in range(80) for one in pool.take(2, 1, lambda: False)]
    assert {share: owners.count(share) for share in ("calls", "lecture", "law")} == {
        "calls": 20,
        "lecture": 20,
        "law": 40,
    }


def test_inbox_that_comes_later_saves_up_nothing_and_waits_for_nothing() -> None:
    """Its first segment is next; then it takes turns, though the others got an hour before."""
    pool = Pool(most_s=1e9)
    first, second = FakeJob(share="first"), FakeJob(share="second")
    pool.put([waiting(2, first, index) for index in range(100)])
    for _ in range(50):
        pool.take(2, 1, lambda: False)
    pool.put([waiting(2, second, index) for index in range(100)])
    owners = [one.job.share for _ in range(10) for one in pool.take(2, 1, lambda: False)]
    assert "second" in owners[:2]
    assert owners.count("second") == 5
