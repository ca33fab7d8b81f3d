"""Whose turn it is: within an inbox, at a screen, by the clock; and what a claim costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from departments import HOUR_S, Departments

from asr_daemon.errors import RecogniserCrashedError
from asr_daemon.history.recordings import COMMAND_LINE, Recordings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_SCREEN = -1


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Departments]:
    """Return three departments."""
    office = Departments(tmp_path, finance={}, sales={}, law={})
    yield office
    office.history.close()


# ---------------------------------------------------------------------- within an inbox


def test_short_ones_go_first(office: Departments) -> None:
    """A call before a lecture that was there before it."""
    lecture, call = office.put("finance", HOUR_S), office.put("finance", 60)
    assert office.order() == [call, lecture]


def test_lecture_is_passed_for_four_times_its_length_and_no_longer(office: Departments) -> None:
    """Whatever comes four hours later, it waits behind an hour's lecture."""
    lecture = office.put("finance", HOUR_S)
    office.time.pass_s(4 * HOUR_S - 600)
    passes = office.put("finance", 60)
    office.time.pass_s(1200)
    waits = office.put("finance", 60)
    assert office.order() == [passes, lecture, waits]


def test_ageing_is_configured(tmp_path: Path) -> None:
    """A reload with another figure moves what waits already."""
    office = Departments(tmp_path, finance={"ageing": 100})
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
    office = Departments(tmp_path, finance={"order": "oldest_first"})
    lecture = office.put("finance", HOUR_S)
    office.time.pass_s(1)
    call = office.put("finance", 60)
    assert office.order() == [lecture, call]


# ---------------------------------------------------------------------- at a screen


def test_screen_goes_first_and_the_rest_moves_all_the_same(office: Departments) -> None:
    """Three of a program's uploads, then one that waits in a folder, and so on."""
    slow = {office.put("finance", 60) for _ in range(3)}
    for _ in range(30):
        office.put(COMMAND_LINE, HOUR_S, priority=AT_SCREEN)
    order = office.order()
    assert order[0] not in slow
    assert slow == {order[3], order[7], order[11]}


def test_program_is_of_the_inbox_that_it_sends_to(office: Departments) -> None:
    """What is sent through the interface for a department is of that department's part."""
    job = office.put(COMMAND_LINE, HOUR_S, priority=AT_SCREEN)
    Recordings(office.history, office.time.clock).send_to(1, "law")
    assert office.order() == [job]
    assert office.jobs.turns.used_ms() == {"law": HOUR_S * 1000}


# ---------------------------------------------------------------------- hours (HandClock: Sunday, 09:30 UTC)


@pytest.fixture
def nightly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Departments]:
    """Return an office of which one department has the nights."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    office = Departments(tmp_path, finance={"hours": ["22:00-07:00"]}, sales={})
    yield office
    office.history.close()
    monkeypatch.undo()
    time.tzset()


def test_outside_its_hours_an_inbox_only_queues(nightly: Departments) -> None:
    """By day nothing of it is begun; at night it is."""
    night, day = nightly.put("finance", 60), nightly.put("sales", 600)
    assert nightly.order() == [day]
    assert nightly.jobs.turns.count_open() == 0
    assert not nightly.jobs.is_usual_next()
    nightly.time.pass_s(12 * HOUR_S + 1800 - 1)
    assert nightly.claim() is None
    nightly.time.pass_s(1)
    assert nightly.order() == [night]


def test_duplicate_that_another_waits_for_runs_at_once(nightly: Departments) -> None:
    """The other inbox has no hours: its copy is recognised now, and the first one's with it."""
    job = nightly.put("finance", 60, content="same")
    assert nightly.claim() is None
    nightly.put("sales", 60, content="same")
    assert nightly.order() == [job]
    assert nightly.jobs.turns.used_ms() == {"sales": 60_000.0}


def test_somebody_at_a_screen_is_not_bound_by_hours(nightly: Departments) -> None:
    """A person waits; the night is for folders."""
    job = nightly.put("finance", 60, priority=AT_SCREEN)
    claimed = nightly.claim()
    assert claimed is not None
    assert nightly.jobs.turns.held_back([job]) == []


def test_suspect_outside_its_hours_holds_nobody_up(nightly: Departments) -> None:
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


def test_what_is_in_work_at_the_end_of_the_hours_is_held_back(nightly: Departments) -> None:
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


def test_overdue_suspect_goes_before_all_others(office: Departments) -> None:
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


def test_claim_does_not_read_those_behind(office: Departments) -> None:
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
