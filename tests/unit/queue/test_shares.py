"""Departments share the recogniser by seconds of sound: weights, the last day, and no way around."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from departments import HOUR_S, Departments
from way import ENGINE, RECOGNISER, segment

from asr_daemon.errors import NotDecodableError
from asr_daemon.history import open_history
from asr_daemon.queue.fairness import HALF_LIFE_S
from asr_daemon.queue.job import Result
from asr_daemon.queue.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Departments]:
    """Return three departments."""
    office = Departments(tmp_path, finance={}, sales={}, law={})
    yield office
    office.history.close()


def test_thousand_lectures_do_not_hold_up_the_call_of_another(office: Departments) -> None:
    """The five-minute call is next, however much the other one queued before."""
    office.put_many(1000, {"finance": HOUR_S})
    office.served(3)
    call = office.put("sales", 300)
    job = office.claim()
    assert job is not None
    assert job.id == call


def test_call_of_who_got_much_today_is_not_held_up_either(office: Departments) -> None:
    """Whoever had the recogniser all morning still gets in: the first turn is nobody's to lose."""
    office.put_many(50, {"finance": HOUR_S})
    office.served(50)
    office.put_many(200, {"sales": HOUR_S})
    office.served(2)
    call = office.put("finance", 300)
    assert call in {job.id for job in (office.claim(), office.claim()) if job is not None}


def test_what_is_in_work_counts(office: Departments) -> None:
    """Places are not all given to one inbox before anything of it is recognised."""
    office.put_many(10, {"finance": HOUR_S})
    office.put_many(10, {"sales": HOUR_S})
    claimed = [office.claim() for _ in range(4)]
    assert sorted(office.part_of(job.id) for job in claimed if job) == [
        "finance",
        "finance",
        "sales",
        "sales",
    ]


def test_lie_about_the_length_buys_nothing(office: Departments) -> None:
    """Files that look like a minute and last an hour are charged an hour: the others get theirs meanwhile."""
    for _ in range(30):
        office.put("finance", 60, true_s=HOUR_S)
        office.put("sales", HOUR_S)
    got = office.served(30)
    assert 13 <= got.count("sales") <= 17


def test_what_was_got_today_counts_and_fades(office: Departments) -> None:
    """Who got hours of sound in the morning gets less for a while, never nothing; days later it is even."""
    office.put_many(20, {"finance": HOUR_S})
    office.served(20)
    office.put_many(60, {"finance": HOUR_S, "sales": HOUR_S})
    first = office.served(20)
    assert 2 <= first.count("finance") <= 6
    office.served(20)
    office.time.pass_s(8 * HALF_LIFE_S)
    assert 8 <= office.served(20).count("finance") <= 12


def test_files_that_only_fail_are_no_way_around(office: Departments) -> None:
    """Thousands of broken files of one inbox do not keep the others waiting until all have failed."""
    office.put_many(100, {"finance": 1, "sales": 30})
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


def test_content_that_two_wait_for_is_one_piece_of_work_of_one_of_them(office: Departments) -> None:
    """It is recognised once, and charged once."""
    first = office.put("finance", HOUR_S, content="same")
    assert office.put("sales", HOUR_S, content="same") == first
    assert office.order() == [first]
    assert sum(office.jobs.turns.used_ms().values()) == HOUR_S * 1000


def test_each_second_of_sound_is_charged_once(office: Departments) -> None:
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


def test_cancelled_work_leaves_the_line(office: Departments) -> None:
    """What nobody waits for any more is nobody's turn."""
    office.put("finance", 60)
    other = office.put("sales", 120)
    office.arrivals.cancel(1)
    assert office.order() == [other]


def test_daemon_that_starts_again_knows_who_waits_and_who_got_what(tmp_path: Path) -> None:
    """The line is made anew from the history; the accounts are in it."""
    office = Departments(tmp_path, finance={}, sales={})
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
MANY = {"finance": 60, "sales": 500, "law": 100}
LENGTHS_S = {"finance": (600, 7200), "sales": (20, 400), "law": (60, 3600)}


@pytest.mark.parametrize("places", [1, 6])
def test_three_departments_share_by_their_weights(tmp_path: Path, places: int) -> None:
    """Lectures, calls and meetings, wrongly estimated, several in work at once: within 5 % of the shares."""
    office = Departments(tmp_path, **{name: {"weight": weight} for name, weight in SHARES.items()})
    rng = random.Random(1)
    with office.history.transaction():
        for inbox, (short_s, long_s) in LENGTHS_S.items():
            for _ in range(MANY[inbox]):
                true_s = rng.uniform(short_s, long_s)
                office.put(inbox, true_s * rng.uniform(0.3, 3.0), true_s=true_s)
    in_work: dict[int, float] = {}  # what is left of each: they are recognised side by side
    got_s = dict.fromkeys(SHARES, 0.0)
    while sum(got_s.values()) < 40 * HOUR_S:
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
