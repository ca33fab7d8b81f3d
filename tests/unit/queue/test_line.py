"""The queue's index follows every change of the history, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from departments import Departments

from asr_daemon.errors import NotDecodableError
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.shape import what_is_foreign
from asr_daemon.history.states import RecordingState
from asr_daemon.queue.arrivals import NotFoundError
from asr_daemon.queue.lengths import LEAST_KNOWN, Lengths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Departments]:
    """Return two departments."""
    office = Departments(tmp_path, finance={}, sales={})
    yield office
    office.history.close()


def line(office: Departments) -> list[tuple[int, int, str]]:
    """Return the rows of the index."""
    rows = office.history.db.execute("SELECT recording_id, job_id, inbox FROM queue_line ORDER BY 1")
    return [tuple(row) for row in rows]


def wanted(office: Departments) -> list[tuple[int, int, str]]:
    """Return what they should be: read from the history itself."""
    rows = office.history.db.execute(
        "SELECT recordings.id, jobs.id, coalesce(sent_to, inbox) FROM recordings"
        " JOIN jobs ON jobs.id = job_id WHERE jobs.state = 'queued' AND recordings.state = 'waiting'"
        " ORDER BY 1"
    )
    return [tuple(row) for row in rows]


def test_it_follows_whatever_happens_to_recordings_and_jobs(office: Departments) -> None:
    """Found, claimed, put back, failed, retried, cancelled, sent to others, gone, twice the same."""
    recordings = Recordings(office.history, office.time.clock)
    office.put_many(4, {"finance": 60, "sales": 60})
    office.put("sales", 60, content="1")  # the content of the first
    first = office.claim()
    assert first is not None
    steps = [
        lambda: office.jobs.put_back(first.id),
        lambda: office.claim() and office.jobs.fail(first.id, NotDecodableError()),
        lambda: office.arrivals.retry(1),
        lambda: office.arrivals.cancel(2),
        lambda: office.arrivals.retry(2),
        lambda: recordings.send_to(3, "sales"),
        lambda: recordings.settle(4, RecordingState.GONE),
        lambda: office.finish(office.claim().id),  # type: ignore[union-attr]
        office.jobs.recover,
    ]
    for number, step in enumerate(steps):
        step()
        assert line(office) == wanted(office) != [], number


def test_what_is_rolled_back_was_never_in_it(office: Departments) -> None:
    """Half a transaction leaves no turn behind."""
    office.put("finance", 60)
    before = line(office)

    def half() -> None:
        with office.history.transaction():
            office.put("finance", 60)
            office.arrivals.cancel(99)

    with pytest.raises(NotFoundError):
        half()
    assert line(office) == before


def test_history_holds_nothing_of_it(office: Departments) -> None:
    """A backup is as it was: no triggers; and compacting the history leaves the line alone."""
    office.put_many(3, {"finance": 60})
    office.history.compact(lambda: False)
    assert len(line(office)) == 3
    office.put("finance", 60)
    assert len(line(office)) == 4
    assert what_is_foreign(office.history.db.conn) == ""


def test_lengths_are_learnt_by_the_middle_one_of_a_suffix() -> None:
    """A file that says two days in a megabyte changes nothing for the others."""
    lengths = Lengths()
    usual_ms = lengths.expected_ms("a.mp3", 16_000 * 60)
    assert usual_ms == 60_000
    lengths.learn([("b.mp3", 8_000 * 60, 60_000)] * LEAST_KNOWN + [("lie.MP3", 1_000_000, 172_800_000)])
    assert lengths.expected_ms("a.mp3", 16_000 * 60) == 120_000
    assert lengths.expected_ms(os.fsdecode(b"\xff.xyz"), 0) == 1000
