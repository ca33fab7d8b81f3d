"""Who waits for what: whoever goes leaves no work behind that nobody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from way import PROFILE, RECOGNISER, Way, segment

from asr_daemon.errors import NotDecodableError, RecogniserCrashedError, RecordingGoneError
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.queue.arrivals import NotFoundError
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER = Profile("model@2")


@pytest.fixture
def way(tmp_path: Path) -> Way:
    """Return a queue in a folder of its own."""
    return Way(tmp_path)


def zombies(way: Way) -> list[int]:
    """Return the jobs that are queued though nobody waits for them."""
    rows = way.history.db.execute(
        "SELECT id FROM jobs WHERE state = 'queued' AND NOT EXISTS"
        " (SELECT 1 FROM recordings WHERE job_id = jobs.id AND recordings.state = 'waiting')"
    )
    return [row["id"] for row in rows]


def let_go(way: Way) -> None:
    """The file was taken away while its work was queued."""
    way.put()
    way.arrivals.let_go(recording_of(way, 1))


def cancel(way: Way) -> None:
    """A person said so."""
    way.arrivals.cancel(way.put())


def supersede(way: Way) -> None:
    """Another content came to the path, and its own work was done since."""
    way.put("a.wav", b"short")
    way.put("a.wav", b"longer")
    (job,) = (way.jobs.claim(RECOGNISER),)
    assert job is not None
    way.finish(job.id, "你好")


def rebind(way: Way) -> None:
    """Its inbox has another profile now."""
    way.put()
    recording = recording_of(way, 1)
    way.arrivals.rebind("c0ffee", [(recording, OTHER)])
    way.finish(way.claim().id, "你好")


def rebind_while_claimed(way: Way) -> None:
    """The same, found when it was its turn."""
    way.put()
    job = way.claim()
    way.arrivals.rebind(job.sha256, [(job.waiting[0], OTHER)])
    way.jobs.put_back(job.id)
    way.finish(way.claim().id, "你好")


def gone_while_claimed(way: Way) -> None:
    """Its file was found gone when it was its turn."""
    way.put()
    job = way.claim()
    way.arrivals.let_go(job.waiting[0])
    way.jobs.fail(job.id, RecordingGoneError())


def gone_in_work(way: Way) -> None:
    """Its file went in mid-recording, and the recogniser was lost in the same moment."""
    way.put()
    job = way.claim()
    way.arrivals.let_go(job.waiting[0])
    way.jobs.fail(job.id, RecogniserCrashedError(), at_once=True)


def gone_while_the_daemon_was_down(way: Way) -> None:
    """A daemon was killed with it in work; the file had been let go before."""
    way.put()
    way.arrivals.let_go(way.claim().waiting[0])
    assert way.jobs.recover() == [1]


def retry_what_is_gone(way: Way) -> None:
    """It failed, it was taken away, and somebody retries all that failed."""
    way.put()
    job = way.claim()
    way.jobs.fail(job.id, NotDecodableError())
    way.arrivals.let_go(job.waiting[0])
    way.arrivals.retry_all(JobState.FAILED)


@pytest.mark.parametrize(
    "departure",
    [
        let_go,
        cancel,
        supersede,
        rebind,
        rebind_while_claimed,
        gone_while_claimed,
        gone_in_work,
        gone_while_the_daemon_was_down,
        retry_what_is_gone,
    ],
)
def test_no_work_is_queued_that_nobody_waits_for(way: Way, departure: Callable[[Way], None]) -> None:
    """The queue is empty then, for the alerts and for who asks how soon to look again; nothing is tried."""
    departure(way)
    assert zombies(way) == []
    assert way.jobs.is_empty()
    assert way.jobs.count_queued() == 0
    way.time.pass_s(1e6)
    assert way.jobs.claim(RECOGNISER) is None


def recording_of(way: Way, number: int):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Return a recording as the history has it."""
    filed = way.arrivals._recordings.get(number)
    assert filed is not None
    return filed.recording


def test_zombie_of_an_older_release_does_not_keep_the_queue_from_being_empty(way: Way) -> None:
    """What is queued counts only where somebody waits for it."""
    way.put()
    way.history.db.execute("UPDATE recordings SET state = 'gone'")
    assert zombies(way) == [1]
    assert way.jobs.is_empty()
    assert way.jobs.count_queued() == 0
    assert way.jobs.turns.oldest_age_s() == 0
    assert {row["state"] for row in way.history.all("queue_counts")} == set()


def test_of_two_that_wait_one_may_go(way: Way) -> None:
    """A copy in the same content's work is taken away or cancelled: the other one's turn comes."""
    for name in ("a.wav", "b.wav", "c.wav"):
        way.put(name, b"same")
    way.arrivals.let_go(recording_of(way, 1))
    way.arrivals.cancel(2)
    job = way.claim()
    assert [waiting.path.name for waiting in job.waiting] == ["c.wav"]
    assert way.jobs.unwanted([job.id]) == []
    way.arrivals.cancel(3)
    assert way.jobs.unwanted([job.id]) == [job.id]


def test_withdrawn_work_is_taken_up_where_it_was_left(way: Way) -> None:
    """The file went in mid-recording and came back: what was recognised is not recognised again."""
    way.put()
    job = way.claim()
    way.segments.save(job.id, (segment(0, "一"),))
    way.arrivals.let_go(job.waiting[0])
    way.jobs.put_back(job.id)
    assert way.job(job.id)["state"] == "withdrawn"
    assert way.job(job.id)["claimed_by"] is None
    way.put()
    again = way.claim()
    assert (again.id, again.attempts, again.done) == (job.id, 1, ((0, 0, 1000),))


def test_cancelled_recording_goes_on_only_when_it_is_retried(way: Way) -> None:
    """A scan that finds it again queues nothing; `retry` goes on from what was recognised."""
    recording = way.put()
    job = way.claim()
    way.segments.save(job.id, (segment(0, "一"),))
    way.arrivals.cancel(recording)
    way.jobs.put_back(job.id)
    for _ in range(2):
        assert way.put() == recording
        assert way.recording(recording)["state"] == RecordingState.CANCELLED
        assert way.jobs.claim(RECOGNISER) is None
    assert zombies(way) == []
    way.arrivals.retry(recording)
    assert way.recording(recording)["state"] == RecordingState.WAITING
    again = way.claim()
    assert again.done == ((0, 0, 1000),)
    assert again.sha256 == job.sha256


def test_cancelled_file_that_is_named_again_is_wanted_again(way: Way) -> None:
    """`transcribe FILE` after `cancel`: who names it wants it."""
    for _ in range(2):
        queued = way.arrivals.put("", way.candidate().look, "5a", PROFILE)
        assert way.recording(queued.recording)["state"] == RecordingState.WAITING
        way.arrivals.cancel(queued.recording)
    assert zombies(way) == []


def test_cancelled_before_its_turn_and_retried(way: Way) -> None:
    """What was only queued is queued again."""
    recording = way.put()
    way.arrivals.cancel(recording)
    assert way.job(1)["state"] == "withdrawn"
    way.arrivals.retry(recording)
    assert way.claim().waiting[0].id == recording


def test_cancelled_and_retried_while_it_still_runs(way: Way) -> None:
    """Changed one's mind within the second that stopping takes: it simply goes on."""
    recording = way.put()
    job = way.claim()
    way.arrivals.cancel(recording)
    way.arrivals.retry(recording)
    assert way.jobs.unwanted([job.id]) == []
    assert way.job(job.id)["state"] == "running"


@pytest.mark.parametrize("state", ["done", "cancelled", "gone"])
def test_only_what_waits_can_be_cancelled(way: Way, state: str) -> None:
    """What is over is not cancelled, and it stays as it is."""
    recording = way.put()
    way.history.db.execute("UPDATE recordings SET state = ?", [state])
    with pytest.raises(NotFoundError, match="does not wait"):
        way.arrivals.cancel(recording)
    with pytest.raises(NotFoundError):
        way.arrivals.cancel(99)
    assert way.recording(recording)["state"] == state


def test_what_is_gone_cannot_be_retried(way: Way) -> None:
    """Nobody would wait for the work; one sentence says so, and nothing is queued."""
    recording = way.put()
    way.arrivals.let_go(recording_of(way, recording))
    with pytest.raises(NotFoundError, match=str(recording)):
        way.arrivals.retry(recording)
    assert zombies(way) == []
    assert way.job(1)["state"] == "withdrawn"


def test_twin_of_finished_work_does_not_withdraw_it(way: Way) -> None:
    """A file that goes from finished work leaves it finished."""
    way.put("a.wav", b"same")
    way.finish(way.claim().id, "你好")
    way.put("b.wav", b"same")
    way.arrivals.let_go(recording_of(way, 2))
    assert way.job(1)["state"] == "done"


def test_superseded_work_goes_on_for_whoever_still_waits(way: Way) -> None:
    """One of two copies was changed: the other one keeps the old content's work."""
    way.put("a.wav", b"same")
    way.put("b.wav", b"same")
    way.put("a.wav", b"longer")
    assert [[each.path.name for each in way.claim().waiting] for _ in range(2)] == [["b.wav"], ["a.wav"]]


def test_who_comes_first_makes_the_work(way: Way) -> None:
    """The log tells whether a file's content is work of its own."""
    look = way.candidate("a.wav", b"same").look
    assert way.arrivals.put("inbox", look, "5a", PROFILE).is_new_work
    twin = way.candidate("b.wav", b"same").look
    assert not way.arrivals.put("inbox", twin, "5a", PROFILE).is_new_work
