"""Whose turn it is: inboxes share by sound, short ones first, screens before all, and hours."""

from __future__ import annotations

import hashlib
import random
import time
from typing import TYPE_CHECKING

import pytest
from way import ENGINE, PROFILE, RECOGNISER, HandClock, segment

from asr_daemon.config import Config
from asr_daemon.errors import NotDecodableError, RecogniserCrashedError
from asr_daemon.history import open_history
from asr_daemon.history.recordings import COMMAND_LINE, Look, Recordings
from asr_daemon.queue.arrivals import Arrivals
from asr_daemon.queue.fairness import HALF_LIFE_S
from asr_daemon.queue.job import Job, Result
from asr_daemon.queue.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAV_BYTES_PER_S = 96_000  # as is taken while nothing is known
AT_SCREEN = -1
HOUR_S = 3600.0


class Office:
    """Departments and their queue; nothing of a file is on the disk."""

    def __init__(self, folder: Path, **inboxes: dict[str, object]) -> None:
        self.time = HandClock()
        self.folder = folder
        self.config = self.configured(**inboxes)
        self.history = open_history(self.config.history_path)
        self.jobs = Jobs(self.config, self.history, self.time.clock)
        self.arrivals = Arrivals(self.history, self.jobs, self.time.clock)
        self.truth_s: dict[int, float] = {}  # of a job
        self.number = 0

    def configured(self, **inboxes: dict[str, object]) -> Config:
        """Return a configuration with these inboxes."""
        return Config.model_validate(
            {
                "daemon": {"state_dir": self.folder / "state"},
                "inbox": [
                    {"name": name, "path": self.folder / name, **settings}
                    for name, settings in inboxes.items()
                ],
            }
        )

    def put(
        self, inbox: str, length_s: float, *, true_s: float = 0.0, priority: int = 0, content: str = ""
    ) -> int:
        """Queue a recording that looks that long (and is ``true_s`` long, where given); return its job."""
        self.number += 1
        size_bytes = round(length_s * WAV_BYTES_PER_S)
        look = Look(self.folder / inbox / f"{self.number}.wav", f"{self.number}.wav", size_bytes, 1, 1, 1)
        sha256 = hashlib.sha256((content or str(self.number)).encode()).hexdigest()
        job = self.arrivals.put(inbox, look, sha256, PROFILE, priority=priority).job
        self.truth_s[job] = true_s or length_s
        return job

    def claim(self, **limits: object) -> Job | None:
        """Claim what is next."""
        return self.jobs.claim(RECOGNISER, **limits)  # type: ignore[arg-type]

    def finish(self, job: int) -> None:
        """Recognise a claimed job to its end."""
        self.jobs.finish(job, Result(0, round(self.truth_s[job] * 1000)), ENGINE)

    def served(self, count: int) -> list[str]:
        """Recognise that many, one after the other; return for whose part each was."""
        return [self.serve() for _ in range(count)]

    def serve(self) -> str:
        """Recognise the next one; return for whose part."""
        job = self.claim()
        assert job is not None
        inbox = self.part_of(job.id)
        self.finish(job.id)
        return inbox

    def part_of(self, job: int) -> str:
        """Return for whose part a job was claimed."""
        row = self.history.one("get_job", job=job)
        assert row is not None
        return str(row["claimed_for"])

    def order(self) -> list[int]:
        """Recognise everything; return the jobs in their order."""
        jobs = []
        while (job := self.claim()) is not None:
            jobs.append(job.id)
            self.finish(job.id)
        return jobs


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Return three departments."""
    office = Office(tmp_path, finance={}, sales={}, law={})
    yield office
    office.history.close()


# ---------------------------------------------------------------------- between inboxes


def test_thousand_lectures_do_not_hold_up_the_call_of_another(office: Office) -> None:
    """The five-minute call is next, however much the other one queued before."""
    for _ in range(200):
        office.put("finance", HOUR_S)
    office.served(3)
    call = office.put("sales", 300)
    job = office.claim()
    assert job is not None
    assert job.id == call


def test_call_of_who_got_much_today_is_not_held_up_either(office: Office) -> None:
    """Whoever had the recogniser all morning still gets in: the first turn is nobody's to lose."""
    for _ in range(50):
        office.put("finance", HOUR_S)
    office.served(50)
    for _ in range(200):
        office.put("sales", HOUR_S)
    office.served(2)
    call = office.put("finance", 300)
    assert call in {job.id for job in (office.claim(), office.claim()) if job is not None}


def test_what_is_in_work_counts(office: Office) -> None:
    """Places are not all given to one inbox before anything of it is recognised."""
    for inbox in ("finance", "sales"):
        for _ in range(10):
            office.put(inbox, HOUR_S)
    claimed = [office.claim() for _ in range(4)]
    assert sorted(office.part_of(job.id) for job in claimed if job) == [
        "finance",
        "finance",
        "sales",
        "sales",
    ]


def test_lie_about_the_length_buys_nothing(office: Office) -> None:
    """Files that look like a minute and last an hour are charged an hour: the others get theirs meanwhile."""
    for _ in range(30):
        office.put("finance", 60, true_s=HOUR_S)
        office.put("sales", HOUR_S)
    got = office.served(30)
    assert 13 <= got.count("sales") <= 17


def test_what_was_got_today_counts_and_fades(office: Office) -> None:
    """Who got hours of sound in the morning gets less for a while, never nothing; days later it is even."""
    for _ in range(20):
        office.put("finance", HOUR_S)
    office.served(20)
    for _ in range(400):
        office.put("finance", HOUR_S)
        office.put("sales", HOUR_S)
    first = office.served(20)
    assert 2 <= first.count("finance") <= 6
    office.served(20)
    office.time.pass_s(8 * HALF_LIFE_S)
    assert 8 <= office.served(20).count("finance") <= 12


def test_files_that_only_fail_are_no_way_around(office: Office) -> None:
    """Thousands of broken files of one inbox do not keep the others waiting until all have failed."""
    for _ in range(100):
        office.put("finance", 1)
        office.put("sales", 30)
    done = 0
    for _ in range(40):
        job = office.claim()
        assert job is not None
        if office.part_of(job.id) == "finance":
            office.jobs.fail(job.id, NotDecodableError())
        else:
            office.finish(job.id)
            done += 1
    assert done >= 8


def test_content_that_two_wait_for_is_one_piece_of_work_of_one_of_them(office: Office) -> None:
    """It is recognised once, and charged once."""
    first = office.put("finance", HOUR_S, content="same")
    assert office.put("sales", HOUR_S, content="same") == first
    assert office.order() == [first]
    assert sum(office.jobs.turns.used_ms().values()) == HOUR_S * 1000


def test_each_second_of_sound_is_charged_once(office: Office) -> None:
    """Also where the recogniser died in between and began again behind what was committed."""
    office.put("finance", 60)
    job = office.claim()
    assert job is not None
    office.jobs.save(job.id, (segment(0, "一"), segment(1, "二")), (), "")
    office.jobs.put_back(job.id)
    assert office.jobs.turns.used_ms() == {"finance": 2000.0}
    again = office.claim()
    assert again is not None
    office.jobs.save(again.id, (segment(1, "二"), segment(2, "三")), (), "")
    assert office.jobs.turns.used_ms() == {"finance": 3000.0}
    office.jobs.finish(again.id, Result(3, 60_000), ENGINE)
    assert office.jobs.turns.used_ms() == {"finance": 60_000.0}


def test_cancelled_work_leaves_the_line(office: Office) -> None:
    """What nobody waits for any more is nobody's turn."""
    office.put("finance", 60)
    other = office.put("sales", 120)
    office.arrivals.cancel(1)
    assert office.order() == [other]


def test_daemon_that_starts_again_knows_who_waits_and_who_got_what(tmp_path: Path) -> None:
    """The line is made anew from the history; the accounts are in it."""
    office = Office(tmp_path, finance={}, sales={})
    for _ in range(3):
        office.put("finance", HOUR_S)
    office.served(1)
    running = office.claim()
    office.history.close()
    history = open_history(office.config.history_path)
    jobs = Jobs(office.config, history, office.time.clock)
    jobs.recover()
    assert jobs.turns.used_ms() == {"finance": HOUR_S * 1000}
    claimed = [jobs.claim(RECOGNISER), jobs.claim(RECOGNISER)]
    assert running is not None
    assert running.id in {job.id for job in claimed if job is not None}
    assert jobs.claim(RECOGNISER) is None
    history.close()


SHARES = {"finance": 1.0, "sales": 2.0, "law": 3.0}
LENGTHS_S = {"finance": (600, 7200), "sales": (20, 400), "law": (60, 3600)}


@pytest.mark.parametrize("places", [1, 6])
def test_three_departments_share_by_their_weights(tmp_path: Path, places: int) -> None:
    """Lectures, calls and meetings, wrongly estimated, several in work at once: within 5 % of the shares."""
    office = Office(tmp_path, **{name: {"weight": weight} for name, weight in SHARES.items()})
    rng = random.Random(1)
    for inbox, (short_s, long_s) in LENGTHS_S.items():
        for _ in range(60 if inbox == "finance" else 700 if inbox == "sales" else 150):
            true_s = rng.uniform(short_s, long_s)
            office.put(inbox, true_s * rng.uniform(0.3, 3.0), true_s=true_s)
    in_work: dict[int, float] = {}  # what is left of each: they are recognised side by side
    got_s = dict.fromkeys(SHARES, 0.0)
    while sum(got_s.values()) < 60 * HOUR_S:
        while len(in_work) < places:
            job = office.claim()
            assert job is not None, "a line ran empty: the shares mean nothing then"
            in_work[job.id] = office.truth_s[job.id]
        step_s = min(in_work.values())
        office.time.pass_s(step_s * len(in_work) / 30)
        for job_id in list(in_work):
            in_work[job_id] -= step_s
            got_s[office.part_of(job_id)] += step_s
            if in_work[job_id] <= 0:
                office.finish(job_id)
                del in_work[job_id]
    office.history.close()
    whole_s, weights = sum(got_s.values()), sum(SHARES.values())
    for inbox, weight in SHARES.items():
        assert got_s[inbox] / whole_s == pytest.approx(weight / weights, abs=0.05), (inbox, got_s)


# ---------------------------------------------------------------------- within an inbox


def test_short_ones_go_first(office: Office) -> None:
    """A call before a lecture that was there before it."""
    lecture, call = office.put("finance", HOUR_S), office.put("finance", 60)
    assert office.order() == [call, lecture]


def test_lecture_is_passed_for_four_times_its_length_and_no_longer(office: Office) -> None:
    """Whatever comes four hours later, it waits behind an hour's lecture."""
    lecture = office.put("finance", HOUR_S)
    office.time.pass_s(4 * HOUR_S - 600)
    passes = office.put("finance", 60)
    office.time.pass_s(1200)
    waits = office.put("finance", 60)
    assert office.order() == [passes, lecture, waits]


def test_ageing_is_configured(tmp_path: Path) -> None:
    """A reload with another figure moves what waits already."""
    office = Office(tmp_path, finance={"ageing": 100})
    lecture = office.put("finance", HOUR_S)
    office.time.pass_s(5 * HOUR_S)
    call = office.put("finance", 60)
    job = office.claim()
    assert job is not None
    assert job.id == call
    office.jobs.put_back(job.id)
    office.jobs.reload(office.configured(finance={"ageing": 2}))
    assert office.order() == [lecture, call]


def test_oldest_first_where_an_inbox_says_so(tmp_path: Path) -> None:
    """As it came."""
    office = Office(tmp_path, finance={"order": "oldest_first"})
    lecture = office.put("finance", HOUR_S)
    office.time.pass_s(1)
    call = office.put("finance", 60)
    assert office.order() == [lecture, call]


# ---------------------------------------------------------------------- at a screen


def test_screen_goes_first_and_the_rest_moves_all_the_same(office: Office) -> None:
    """Three of a program's uploads, then one that waits in a folder, and so on."""
    slow = {office.put("finance", 60) for _ in range(3)}
    for _ in range(30):
        office.put(COMMAND_LINE, HOUR_S, priority=AT_SCREEN)
    order = office.order()
    assert order[0] not in slow
    assert slow == {order[3], order[7], order[11]}


def test_program_is_of_the_inbox_that_it_sends_to(office: Office) -> None:
    """What is sent through the interface for a department is of that department's part."""
    job = office.put(COMMAND_LINE, HOUR_S, priority=AT_SCREEN)
    Recordings(office.history, office.time.clock).send_to(1, "law")
    assert office.order() == [job]
    assert office.jobs.turns.used_ms() == {"law": HOUR_S * 1000}


# ---------------------------------------------------------------------- hours (HandClock: Sunday, 09:30 UTC)


@pytest.fixture
def nightly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Return an office of which one department has the nights."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    office = Office(tmp_path, finance={"hours": ["22:00-07:00"]}, sales={})
    yield office
    office.history.close()
    monkeypatch.undo()
    time.tzset()


def test_outside_its_hours_an_inbox_only_queues(nightly: Office) -> None:
    """By day nothing of it is begun; at night it is."""
    night, day = nightly.put("finance", 60), nightly.put("sales", 600)
    assert nightly.order() == [day]
    assert nightly.jobs.turns.count_open() == 0
    assert not nightly.jobs.is_usual_next()
    nightly.time.pass_s(12 * HOUR_S + 1800 - 1)
    assert nightly.claim() is None
    nightly.time.pass_s(1)
    assert nightly.order() == [night]


def test_duplicate_that_another_waits_for_runs_at_once(nightly: Office) -> None:
    """The other inbox has no hours: its copy is recognised now, and the first one's with it."""
    job = nightly.put("finance", 60, content="same")
    assert nightly.claim() is None
    nightly.put("sales", 60, content="same")
    assert nightly.order() == [job]
    assert nightly.jobs.turns.used_ms() == {"sales": 60_000.0}


def test_somebody_at_a_screen_is_not_bound_by_hours(nightly: Office) -> None:
    """A person waits; the night is for folders."""
    job = nightly.put("finance", 60, priority=AT_SCREEN)
    claimed = nightly.claim()
    assert claimed is not None
    assert nightly.jobs.turns.held_back([job]) == []


def test_suspect_outside_its_hours_holds_nobody_up(nightly: Office) -> None:
    """Else the others would make room for what may not begin."""
    nightly.time.pass_s(13 * HOUR_S)
    nightly.put("finance", 60)
    job = nightly.claim()
    assert job is not None
    nightly.jobs.fail(job.id, RecogniserCrashedError(), at_once=True)
    nightly.time.pass_s(1 * HOUR_S)
    assert nightly.jobs.has_overdue_suspect(600)
    nightly.time.pass_s(9 * HOUR_S)
    assert not nightly.jobs.has_overdue_suspect(600)


def test_what_is_in_work_at_the_end_of_the_hours_is_held_back(nightly: Office) -> None:
    """And nothing else: not what another inbox waits for as well."""
    nightly.time.pass_s(13 * HOUR_S)
    alone, both = nightly.put("finance", 60), nightly.put("finance", 60, content="same")
    nightly.put("sales", 60, content="same")
    assert nightly.claim()
    assert nightly.claim()
    assert nightly.jobs.turns.held_back([alone, both]) == []
    nightly.time.pass_s(9 * HOUR_S)
    assert nightly.jobs.turns.held_back([alone, both]) == [alone]
    assert nightly.jobs.turns.held_back([alone, both], all_of_them=True) == [alone, both]


def test_overdue_suspect_goes_before_all_others(office: Office) -> None:
    """Once a recogniser is free for it: it would wait behind every short one for days."""
    suspect = office.put("finance", HOUR_S)
    job = office.claim()
    assert job is not None
    office.jobs.fail(job.id, RecogniserCrashedError(), at_once=True)
    office.time.pass_s(700)
    for _ in range(5):
        office.put("sales", 10)
    first = office.claim(patience_s=600.0)
    assert first is not None
    assert first.id == suspect


def test_claim_does_not_read_those_behind(office: Office) -> None:
    """With ten times as many in line a claim takes no more of SQLite's steps, whatever may not begin."""
    steps: list[int] = []
    for many in (300, 3000):
        with office.history.transaction():
            while office.number < many:
                office.put(("finance", "sales", "law")[office.number % 3], 600 + office.number)
        office.jobs.turns.line.place()
        for limits in ({}, {"fresh_only": True}, {"away": ["finance"]}):
            spent: list[int] = []
            office.history.db.conn.set_progress_handler(lambda to=spent: to.append(1), 10)
            job = office.claim(**limits)
            office.history.db.conn.set_progress_handler(None, 0)
            assert job is not None
            steps.append(len(spent))
            office.finish(job.id)
    few, most = steps[:3], steps[3:]
    assert all(late <= 1.5 * early + 20 for early, late in zip(few, most, strict=True)), steps
