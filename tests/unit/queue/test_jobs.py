"""The queue: what is counted, what is tried again and when, and what never happens twice."""

from __future__ import annotations

import collections
import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from way import PROFILE, RECOGNISER, Way, make_config, segment

from asr_daemon.errors import (
    DiskFullError,
    InternalError,
    ModelMissingError,
    NotDecodableError,
    RecogniserCrashedError,
    RecogniserHungError,
    RecordingGoneError,
)
from asr_daemon.history.reading import places
from asr_daemon.history.segments import hotwords_of
from asr_daemon.hotwords.hits import Hit
from asr_daemon.inboxes.candidate import Candidate
from asr_daemon.queue.arrivals import NotFoundError
from asr_daemon.queue.jobs import INTERRUPTIONS_FACTOR, WHEN_CLEARED_S
from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Correction

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def way(tmp_path: Path) -> Way:
    """Return a queue in a folder of its own."""
    return Way(tmp_path)


def test_same_content_under_same_profile_is_one_job(way: Way) -> None:
    """Two files of one content wait for one job; another profile makes another."""
    way.put("a.wav", b"same")
    way.put("b.wav", b"same")
    way.put("c.wav", b"same", Profile("other"))
    job = way.claim()
    assert [waiting.path.name for waiting in job.waiting] == ["a.wav", "b.wav"]
    assert [waiting.path.name for waiting in way.claim().waiting] == ["c.wav"]
    assert way.jobs.claim(RECOGNISER, fresh_only=False) is None


def test_attempt_is_counted_before_anything_is_tried(way: Way) -> None:
    """A claim is an attempt, and nobody else gets the job."""
    way.put()
    assert way.claim().attempts == 1
    assert way.jobs.claim(RECOGNISER, fresh_only=False) is None


def test_finished_content_is_not_recognised_for_its_twin(way: Way) -> None:
    """A file whose content is done gets a recording that waits for nothing but its transcript."""
    way.put("a.wav", b"same")
    way.finish(way.claim().id, "你好")
    twin = way.put("b.wav", b"same")
    assert way.recording(twin)["job_state"] == "done"
    assert way.jobs.claim(RECOGNISER, fresh_only=False) is None
    assert [row["id"] for row in way.history.all("undelivered")] == [1, twin]


def test_fault_of_the_recording_is_final(way: Way) -> None:
    """What cannot be decoded is tried once."""
    way.put()
    job = way.claim()
    assert way.jobs.fail(job.id, NotDecodableError()) == "failed"
    way.time.pass_s(1e6)
    assert way.jobs.claim(RECOGNISER, fresh_only=False) is None
    assert way.job(job.id)["error_code"] == "not_decodable"


def test_passing_failure_is_tried_again_after_a_pause_that_doubles(way: Way) -> None:
    """After 30 s and 60 s, a quarter more or less; then quarantined with its evidence."""
    way.put()
    for pause_s in (30, 60):
        job = way.claim()
        assert way.jobs.fail(job.id, RecogniserHungError(evidence="last words")) == "queued"
        way.time.pass_s(pause_s * 0.7)
        assert way.jobs.claim(RECOGNISER, fresh_only=False) is None
        way.time.pass_s(pause_s * 0.6)
    job = way.claim()
    assert way.jobs.fail(job.id, RecogniserHungError(evidence="last words")) == "quarantined"
    attempts = way.history.all("attempts_of_job", job=job.id)
    assert [row["number"] for row in attempts] == [1, 2, 3]
    assert {(row["error_code"], row["evidence"]) for row in attempts} == {("recogniser_hung", "last words")}


@pytest.mark.parametrize("error", [DiskFullError(), ModelMissingError(), RecordingGoneError()])
def test_cause_outside_the_recording_spends_no_attempt(way: Way, error: Exception) -> None:
    """A full disk or a missing model waits as long as it takes; no attempt is spent, no evidence piles up."""
    way.put()
    for _ in range(20):
        job = way.claim()
        assert job.attempts == 1
        assert not job.is_suspect
        assert way.jobs.fail(job.id, error) == "queued"  # type: ignore[arg-type]
        assert way.jobs.claim(RECOGNISER, fresh_only=False) is None
        way.time.pass_s(WHEN_CLEARED_S)
    assert way.job(1)["attempts"] == 0
    assert way.history.all("attempts_of_job", job=1) == []


def test_attempt_that_brought_the_recording_on_does_not_lead_to_quarantine(way: Way) -> None:
    """A recogniser that dies again and again, one segment later each time, gets there in the end."""
    way.put()
    for number in range(10):
        job = way.claim()
        assert job.done == tuple((each, each * 1000, each * 1000 + 1000) for each in range(number))
        way.segments.save(job.id, (segment(number, f"第{number}段"),))
        assert way.jobs.fail(job.id, RecogniserCrashedError()) == "queued"
        way.time.pass_s(3600)
    way.end(way.claim().id, 10)
    assert way.job(1)["state"] == "done"


def test_lost_with_others_is_tried_again_at_once_and_alone(way: Way) -> None:
    """A suspect is not given to the recogniser beside others, and not held back either."""
    way.put("a.wav", b"a")
    way.put("b.wav", b"b")
    first = way.claim()
    way.jobs.fail(first.id, RecogniserCrashedError(), at_once=True)
    assert way.claim(fresh_only=True).id != first.id
    assert way.jobs.claim(RECOGNISER, fresh_only=True) is None
    again = way.claim()
    assert (again.id, again.is_suspect) == (first.id, True)


def test_interrupted_jobs_go_back_and_only_many_interruptions_quarantine(way: Way) -> None:
    """A killed daemon's jobs are tried again; a recording that kills the daemon each time is given up."""
    way.put()
    for _ in range(3 * INTERRUPTIONS_FACTOR - 1):
        assert way.claim().id == 1
        assert way.jobs.recover() == [1]
        assert way.job(1)["state"] == "queued"
    way.claim()
    way.jobs.recover()
    assert (way.job(1)["state"], way.job(1)["error_code"]) == ("quarantined", "interrupted")


def test_interruptions_are_no_strikes(way: Way) -> None:
    """Three kills of the daemon and then one crash do not quarantine a recording."""
    way.put()
    for _ in range(3):
        way.claim()
        way.jobs.recover()
    assert way.jobs.fail(way.claim().id, RecogniserCrashedError()) == "queued"


def test_put_back_leaves_no_trace(way: Way) -> None:
    """A job that the daemon's end took from the recogniser was not tried."""
    way.put()
    way.jobs.put_back(way.claim().id)
    assert way.claim().attempts == 1
    assert len(way.history.all("attempts_of_job", job=1)) == 1


@pytest.mark.parametrize("jump_s", [-86_400, -3600, 3600, 86_400])
def test_clock_jumps_neither_hold_a_job_back_nor_run_it_twice(way: Way, jump_s: float) -> None:
    """Set by an hour or a day: what waits half a minute does not wait longer, what runs is not claimed."""
    way.put("a.wav", b"a")
    way.put("b.wav", b"b")
    running = way.claim()
    way.jobs.fail(way.claim().id, RecogniserCrashedError())
    way.time.set_by_s(jump_s)
    way.time.pass_s(60)
    job = way.claim()
    assert job.id != running.id
    assert way.jobs.claim(RECOGNISER, fresh_only=False) is None


def test_back_off_still_holds_after_the_clock_was_set_back(way: Way) -> None:
    """The next failure waits its pause again, by the new time."""
    way.put()
    way.jobs.fail(way.claim().id, RecogniserCrashedError())
    way.time.set_by_s(-86_400)
    way.jobs.fail(way.claim().id, RecogniserCrashedError())
    assert way.jobs.claim(RECOGNISER, fresh_only=False) is None


def test_inbox_whose_share_is_gone_waits_without_being_tried(way: Way) -> None:
    """Its jobs are left alone, unless a copy lies in an inbox that is there."""
    way.put()
    assert way.jobs.claim(RECOGNISER, fresh_only=False, away={"inbox"}) is None
    way.arrivals.put("other", way.candidate("b.wav").look, "f" * 64, PROFILE)
    job = way.jobs.claim(RECOGNISER, fresh_only=False, away={"inbox"})
    assert job is not None
    assert [waiting.inbox for waiting in job.waiting] == ["other"]


def test_rebinding_moves_each_file_to_the_work_of_its_own_profile(way: Way) -> None:
    """Two copies of one job, of which one inbox has other hotwords now: one moves, one stays."""
    way.put("a.wav", b"same")
    way.put("b.wav", b"same")
    job = way.claim()
    other = Profile("model@1", hotwords=("词",))
    way.arrivals.rebind(job.sha256, [(job.waiting[1], other)])
    way.jobs.put_back(job.id)
    assert [each.path.name for each in way.claim().waiting] == ["a.wav"]
    moved = way.claim()
    assert moved.profile.digest == other.digest
    assert not moved.profile.is_whole, "the list itself is read again where it lies"
    assert [each.path.name for each in moved.waiting] == ["b.wav"]


def test_hotwords_of_a_job_are_counted_by_who_put_them_there(way: Way) -> None:
    """What the history holds is enough to tell the model's from the correction's."""
    way.put()
    job = way.claim().id
    correction = Correction(4, 7, "城千里", "程千里", "phonetic")
    segments = (
        replace(segment(0, "程千里和城千里"), corrections=(correction,), hotwords_hit=("程千里",)),
        replace(segment(1, "程千里"), hotwords_hit=("程千里",)),
        segment(2, "程千里"),
    )
    way.segments.save(job, segments)
    assert hotwords_of(way.history, job) == {Hit("程千里", "model"): 2, Hit("程千里", "correction"): 1}


def test_changed_recording_is_work_again_and_its_old_version_stays(way: Way) -> None:
    """A longer version over a finished one: a new row that waits, the old one superseded."""
    old = way.put("a.wav", b"short")
    way.finish(way.claim().id, "短")
    new = way.put("a.wav", b"much longer")
    assert way.recording(old)["state"] == "superseded"
    assert way.recording(new)["state"] == "waiting"
    assert way.claim().waiting[0].id == new


def test_same_file_touched_is_no_work(way: Way) -> None:
    """Another mtime with the same content changes the look alone."""
    recording = way.put()
    way.finish(way.claim().id, "你好")
    way.history.run("set_recording_state", recording=recording, state="done", problem=None, written_at="x")
    assert way.put() == recording
    assert way.recording(recording)["state"] == "done"


def test_recording_that_came_back_without_its_transcripts_is_due_again(way: Way) -> None:
    """Taken away with its transcript and put back: the transcript is written again, not recognised again."""
    recording = way.put()
    way.finish(way.claim().id, "你好")
    path = os.fsencode(way.inbox / "a.txt")
    way.history.run(
        "plan_output", path=path, same_name=path, recording=recording, format="txt", sha256="", size_bytes=0
    )
    way.history.run("set_recording_state", recording=recording, state="done", problem=None, written_at="x")
    assert way.put() == recording
    assert way.recording(recording)["state"] == "waiting"
    assert way.jobs.claim(RECOGNISER, fresh_only=False) is None


def test_segments_that_an_earlier_try_found_elsewhere_are_not_kept(way: Way) -> None:
    """Other stretches than last time: their old texts go, and no surplus segment stays in the transcript."""
    way.put()
    job = way.claim()
    way.segments.save(job.id, tuple(segment(number, f"旧{number}") for number in range(4)))
    way.jobs.fail(job.id, RecogniserCrashedError())
    way.time.pass_s(100)
    job = way.claim()
    way.segments.save_places(job.id, ((0, 0, 1000), (1, 1000, 2500)))
    with pytest.raises(InternalError):
        way.end(job.id, 2)  # the second is other than it was: not recognised yet
    way.segments.save(job.id, (segment(1, "新"),))
    way.end(job.id, 2)
    assert [row["text"] for row in way.history.all("job_segments", job=job.id)] == ["旧0", "新"]
    assert [place.text for place in places(way.history, ['"旧"'], None, limit=10)] == ["旧0"]


def test_job_with_a_hole_is_not_done(way: Way) -> None:
    """A segment that was never said does not become a transcript without it."""
    way.put()
    job = way.claim()
    way.segments.save(job.id, (segment(0, "一"),))
    with pytest.raises(InternalError, match="1 of 2"):
        way.end(job.id, 2)
    assert way.job(job.id)["state"] == "running"


def test_retry_begins_anew(way: Way) -> None:
    """Attempts, strikes, suspicion and text are forgotten, in the index too; what runs is left alone."""
    recording = way.put()
    for _ in range(3):
        job = way.claim()
        way.jobs.fail(job.id, RecogniserCrashedError())
        way.time.pass_s(3600)
    assert way.job(1)["state"] == "quarantined"
    way.arrivals.retry(recording)
    job = way.claim()
    assert (job.attempts, job.is_suspect, job.done) == (1, False, ())
    way.arrivals.retry(recording)
    assert way.job(1)["state"] == "running"
    with pytest.raises(NotFoundError):
        way.arrivals.retry(99)


def test_retry_of_what_failed_forgets_its_text(way: Way) -> None:
    """Also in the index: what half an attempt said is not what the next one says."""
    recording = way.put()
    job = way.claim()
    way.segments.save(job.id, (segment(0, "旧"),))
    way.jobs.fail(job.id, NotDecodableError())
    way.arrivals.retry(recording)
    assert way.claim().done == ()
    assert places(way.history, ['"旧"'], None, limit=10) == []


def test_evidence_is_added_to_the_newest_attempt(way: Way) -> None:
    """What the recording looks like from outside stands below the recogniser's last words."""
    way.put()
    job = way.claim()
    way.jobs.fail(job.id, RecogniserCrashedError(evidence="Segmentation fault"))
    way.jobs.add_evidence(job.id, "pcm, 7 channels")
    (attempt,) = way.history.all("attempts_of_job", job=job.id)
    assert attempt["evidence"] == "Segmentation fault\npcm, 7 channels"


def test_retry_of_a_class_takes_that_class_alone(way: Way) -> None:
    """`retry --class not_decodable` leaves what failed otherwise."""
    for name, error in (("a", NotDecodableError()), ("b", NotDecodableError()), ("c", InternalError())):
        way.put(f"{name}.wav", name.encode())
        way.jobs.fail(way.claim().id, error)
    way.jobs.reload(make_config(way.folder, max_attempts=1))
    way.time.pass_s(100)
    assert way.jobs.fail(way.claim().id, InternalError()) == "quarantined"
    assert way.arrivals.retry_all("failed", "no_audio") == 0
    assert way.arrivals.retry_all("quarantined", "not_decodable") == 0
    assert way.arrivals.retry_all("failed", "not_decodable") == 2
    assert way.arrivals.retry_all("quarantined", None) == 1


def test_what_somebody_waits_for_goes_first(way: Way) -> None:
    """A recording named on the command line passes the queue, also one that waits already."""
    for name in "abc":
        way.put(f"{name}.wav", name.encode())
    sha256 = hashlib.sha256(b"c").hexdigest()
    way.arrivals.put("", way.candidate("c.wav", b"c").look, sha256, PROFILE, priority=-1)
    assert way.claim().waiting[0].path.name == "c.wav"


MASS = 200  # and then four times as many


def test_thousands_that_wait_do_not_read_each_other(way: Way) -> None:
    """What is asked of one job costs the same however many wait; what is asked of all grows as they do."""
    nobody_there = {
        "urged": 0,
        "now": way.time.clock.stamp(),
        "fresh_only": 0,
        "most_bytes": None,
        "above_bytes": -1,
        "away": '["inbox"]',
        "closed": "[]",
        "limit": 1,
    }
    queries: dict[str, tuple[dict[str, object], int]] = {
        "queue_counts": ({}, 4),
        "count_queued": ({}, 4),
        "queued_since": ({}, 4),
        "line_first": (nobody_there, 4),
        "line_inboxes": ({}, 1),
        "count_open": ({"closed": "[]"}, 4),
        "job_recordings": ({"job": 1}, 1),
        "undelivered_of_job": ({"job": 1}, 1),
    }
    steps: collections.Counter[str] = collections.Counter()
    few: dict[str, int] = {}
    for batch in (range(MASS), range(MASS, 4 * MASS)):
        few = dict(steps)
        steps.clear()
        for number in batch:
            content = b"%d" % number
            candidate = Candidate(way.inbox / f"{number}.wav", len(content), 1, number, 1)
            way.arrivals.put("inbox", candidate.look, hashlib.sha256(content).hexdigest(), PROFILE)
        for query, (values, _) in queries.items():
            way.history.db.conn.set_progress_handler(lambda name=query: steps.update([name]), 10)
            way.history.all(query, **values)
        way.history.db.conn.set_progress_handler(None, 0)
    way.history.db.execute("UPDATE recordings SET state = 'done', archived_at = 'x'")
    way.history.db.conn.set_progress_handler(lambda: steps.update(["archivable"]), 10)
    way.history.all("archivable", inboxes='["inbox"]')
    way.history.db.conn.set_progress_handler(None, 0)
    assert steps["archivable"] < MASS / 10, "those in the archive are not looked through"
    for query, (_, growth) in queries.items():
        assert steps[query] <= 1.5 * growth * few.get(query, 0) + 10, query


def test_suspect_that_can_be_had_is_overdue_after_a_while(way: Way) -> None:
    """Not before its pause is over and the patience spent, and never while its share is gone."""
    way.put()
    job = way.claim()
    assert not way.jobs.has_overdue_suspect(600)
    way.jobs.fail(job.id, RecogniserCrashedError(), at_once=True)
    way.time.pass_s(599)
    assert not way.jobs.has_overdue_suspect(600)
    way.time.pass_s(1)
    assert way.jobs.has_overdue_suspect(600)
    assert not way.jobs.has_overdue_suspect(600, away=["inbox"])
    way.claim()
    assert not way.jobs.has_overdue_suspect(600)
