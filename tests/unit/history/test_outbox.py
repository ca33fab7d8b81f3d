"""Messages in the history: written with the state, kept in order, tried again for a day, then given up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from way import OpenDaemon

from asr_daemon.config_notify import NotifySection
from asr_daemon.errors import HistoryFullError, NotDecodableError, RecogniserCrashedError
from asr_daemon.history import outbox as outbox_module
from asr_daemon.history.outbox import Outbox, listed, quiet_until, standings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.history.outbox import Batch

EVERYTHING = ("done", "failed", "quarantined", "blocked", "unblocked", "backup_failed")


def section(name: str = "hook", **changes: Any) -> NotifySection:
    """Return a receiver that wants everything at once."""
    known: dict[str, Any] = {"name": name, "url": "https://a.example/", "on": EVERYTHING, "digest_s": 0}
    return NotifySection(**{**known, **changes})


class Told(OpenDaemon):
    """A daemon with receivers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.outbox: Outbox = self.parts.upkeep.outbox

    def tell(self, *sections: NotifySection) -> None:
        """Name the receivers."""
        self.outbox.configure(sections)

    def fail(self, name: str, content: bytes | None = None) -> int:
        """Have a recording fail; return its number."""
        recording = self.put(name, content or name.encode())
        self.jobs.fail(self.claim().id, NotDecodableError())
        assert self.parts.deliverer.deliver(recording)
        return recording

    def events(self, target: str = "hook") -> list[str]:
        """Return what is to be told to a receiver."""
        return [row.event for row in listed(self.history, ("waiting",)) if row.target == target]

    def due(self, of: NotifySection, *, alone: bool = True) -> Batch:
        """Return what is to be sent now, which there must be."""
        batch = self.outbox.due(of, alone=alone).batch
        assert batch is not None
        return batch

    def is_quiet(self, of: NotifySection, *, alone: bool = True) -> bool:
        """Whether nothing is to be sent now."""
        return self.outbox.due(of, alone=alone).batch is None


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """Return the daemon."""
    told = Told(tmp_path)
    yield told
    told.close()


# ---------------------------------------------------------------------- what is written


def test_a_finished_a_failed_and_a_quarantined_recording_are_told(told: Told) -> None:
    """Each once, when its files are written."""
    told.tell(section())
    done = told.put("a.wav", b"a")
    told.finish(told.claim().id, "同意")
    assert told.events() == []
    assert told.parts.deliverer.deliver(done)
    told.parts.deliverer.deliver(done)
    told.fail("b.wav")
    crashed = told.put("c.wav", b"c")
    for _ in range(3):
        told.time.pass_s(4000)
        told.jobs.fail(told.claim().id, RecogniserCrashedError())
    assert told.parts.deliverer.deliver(crashed)
    assert told.events() == ["done", "failed", "quarantined"]


def test_only_who_wants_to_hear_of_it_does(told: Told) -> None:
    """By event and by inbox; what concerns no inbox concerns all."""
    told.tell(section("a", on=("done",)), section("b", inbox=("other",)), section("c", inbox=("inbox",)))
    told.fail("x.wav")
    told.outbox.announce("blocked", "queue", "no model")
    assert (told.events("a"), told.events("b"), told.events("c")) == ([], ["blocked"], ["failed", "blocked"])


def test_a_message_is_there_exactly_if_the_state_is(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be committed leaves neither."""
    told.tell(section())
    recording = told.put("a.wav")
    told.finish(told.claim().id, "同意")
    confirm = told.parts.deliverer._recordings.settle

    def full(*arguments: Any) -> None:
        confirm(*arguments)
        raise HistoryFullError

    monkeypatch.setattr(told.parts.deliverer._recordings, "settle", full)
    assert not told.parts.deliverer.deliver(recording)
    assert (told.recording(recording)["state"], told.events()) == ("waiting", [])
    monkeypatch.undo()
    assert told.parts.deliverer.deliver(recording)
    assert told.events() == ["done"]


def test_recordings_of_the_command_line_are_nobodys_business(told: Told) -> None:
    """Who named them waits for them."""
    told.tell(section())
    told.daemon.commands.answer({"command": "submit", "paths": [str(told.candidate("a.wav").path)]})
    job = told.claim()
    told.finish(job.id, "同意")
    told.parts.deliverer.deliver_job(job.id)
    assert told.events() == []


def test_a_failed_backup_is_told(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, in the transaction that remembers it."""
    told.tell(section())
    told.config.backup_dir.parent.mkdir(exist_ok=True)
    told.config.backup_dir.write_text("a file in its place")
    with pytest.raises(Exception, match="backup"):
        told.parts.upkeep.back_up()
    (row,) = listed(told.history, ("waiting",))
    assert row.event == "backup_failed"
    assert row.problem


# ---------------------------------------------------------------------- when it is sent


def test_messages_of_a_recording_keep_their_order_and_others_go_on(told: Told) -> None:
    """One that fails holds up the later ones of its own recording alone."""
    of = section()
    told.tell(of)
    first = told.fail("a.wav")
    told.arrivals.retry(first)
    told.jobs.fail(told.claim().id, NotDecodableError())
    assert told.parts.deliverer.deliver(first)
    told.fail("b.wav")
    batch = told.due(of)
    assert [row.recording for row in batch.rows] == [first]
    told.outbox.settle(batch.id, is_sent=False, said="500")
    other = told.due(of)
    assert [row.recording for row in other.rows] != [first]
    told.outbox.settle(other.id, is_sent=True, said="ok")
    assert told.is_quiet(of)
    told.time.pass_s(outbox_module.FIRST_RETRY_S)
    assert told.due(of) == batch or told.due(of).id == batch.id
    told.outbox.settle(batch.id, is_sent=True, said="ok")
    assert [row.recording for row in told.due(of).rows] == [first]


def test_several_become_one_and_stay_that(told: Told) -> None:
    """After the time from the first; what comes later is another, and a repetition holds the same."""
    of = section(digest_s=30)
    told.tell(of)
    told.fail("a.wav")
    told.time.pass_s(20)
    told.fail("b.wav")
    assert told.is_quiet(of, alone=False)
    assert told.outbox.due(of, alone=False).ask_again_s == pytest.approx(10, abs=0.1)
    told.time.pass_s(10)
    batch = told.due(of, alone=False)
    assert len(batch.rows) == 2
    told.fail("c.wav")
    again = told.due(of, alone=False)  # nobody settled it: whoever took it was killed
    assert (again.id, len(again.rows)) == (batch.id, 2)
    told.outbox.settle(batch.id, is_sent=True, said="ok")
    told.time.pass_s(30)
    assert len(told.due(of, alone=False).rows) == 1


def test_it_is_tried_again_ever_more_seldom_for_a_day_and_then_given_up(told: Told) -> None:
    """Visibly; and `retry` begins anew."""
    of = section()
    told.tell(of)
    told.fail("a.wav")
    waits, state, began = [], "waiting", told.time.seconds
    while state == "waiting":
        state = told.outbox.settle(told.due(of).id, is_sent=False, said="500")
        if state == "waiting":
            waits.append(told.outbox.due(of, alone=True).ask_again_s)
            assert told.is_quiet(of)
            told.time.pass_s(waits[-1])
    assert state == "given_up"
    assert waits[:4] == pytest.approx([15, 30, 60, 120], abs=0.1)
    assert told.time.seconds - began == pytest.approx(86_400, abs=1)
    standing = standings(told.history)["hook"]
    assert (standing.given_up, standing.waiting) == (1, 0)
    assert told.outbox.retry() == 1
    assert told.due(of).rows[0].attempts == 0


def test_a_receiver_that_asks_for_time_gets_it(told: Told) -> None:
    """Where that is longer than it would be left alone anyway."""
    of = section()
    told.tell(of)
    told.fail("a.wav")
    told.outbox.settle(told.due(of).id, is_sent=False, said="429", after_s=600)
    assert told.outbox.due(of, alone=True).ask_again_s == pytest.approx(600, abs=0.1)


def test_what_waits_for_a_receiver_that_was_away_goes_when_it_is_back(told: Told) -> None:
    """Not hours later; but one message that is refused again and again is no reason to hurry."""
    of = section()
    told.tell(of, section("other"))
    for name in ("a.wav", "b.wav", "c.wav"):
        told.fail(name)
        told.outbox.settle(told.due(of).id, is_sent=False, said="it cannot be reached")
    told.fail("d.wav")
    told.outbox.settle(told.due(of).id, is_sent=True, said="ok")
    assert told.is_quiet(of)
    told.fail("e.wav")
    told.outbox.settle(told.due(of).id, is_sent=True, said="ok", was_away=True)
    for _ in range(3):
        told.outbox.settle(told.due(of).id, is_sent=True, said="ok")
    assert told.events() == []
    assert len(told.events("other")) == 5


def test_quiet_hours_hold_everything_back_and_then_send_it_as_one(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock on the wall; a message on trial goes all the same."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        of = section(digest_s=30, quiet="17:00-18:30")  # it is 17:30 there
        told.tell(of)
        for name in ("a.wav", "b.wav"):
            told.fail(name)
            told.time.pass_s(600)
        assert told.is_quiet(of, alone=False)
        assert told.outbox.due(of, alone=False).ask_again_s == pytest.approx(40 * 60, abs=1)
        told.outbox.test("hook")
        assert told.due(of, alone=False).rows[0].event == "test"
        told.outbox.settle(told.due(of).id, is_sent=True, said="ok")
        told.time.pass_s(40 * 60)
        assert len(told.due(of, alone=False).rows) == 2
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("quiet", "at", "until"),
    [
        ("22:00-07:00", "2026-03-15T22:00", "2026-03-16T07:00"),
        ("22:00-07:00", "2026-03-15T06:59", "2026-03-15T07:00"),
        ("22:00-07:00", "2026-03-15T07:00", None),
        ("12:00-13:00", "2026-03-15T12:30", "2026-03-15T13:00"),
        ("22:00-07:00", "2026-03-28T23:00", "2026-03-29T07:00"),  # the night that is an hour shorter
        ("22:00-07:00", "2026-10-24T23:00", "2026-10-25T07:00"),  # and longer
        ("", "2026-03-15T23:00", None),
    ],
)
def test_quiet_hours_end_by_the_local_clock(
    quiet: str, at: str, until: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Summer time or not."""
    from datetime import datetime  # noqa: PLC0415

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        found = quiet_until(section(quiet=quiet), datetime.fromisoformat(at).astimezone())
        assert (found.strftime("%Y-%m-%dT%H:%M") if found else None) == until
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_waits_for_a_receiver_that_is_gone_is_given_up(told: Told) -> None:
    """With the reason; it comes back with the receiver, when somebody says so."""
    told.tell(section("a"), section("b"))
    told.fail("x.wav")
    told.tell(section("b"))
    (row,) = listed(told.history, ("given_up",))
    assert (row.target, row.said) == ("a", outbox_module.NOBODY)
    assert told.outbox.retry() == 0
    told.tell(section("a"), section("b"))
    assert told.outbox.retry([row.id]) == 1


def test_what_was_sent_is_forgotten_in_the_end(told: Told) -> None:
    """What waits is given up first."""
    told.tell(section())
    told.fail("a.wav")
    told.outbox.settle(told.due(section()).id, is_sent=True, said="ok")
    told.fail("b.wav")
    told.time.pass_s(29 * 86_400)
    told.parts.upkeep.look_after_history()
    assert told.history.one("get_notice", notice=1)
    told.time.pass_s(2 * 86_400)
    told.parts.upkeep.look_after_history()
    assert told.history.one("get_notice", notice=1) is None
    (row,) = listed(told.history, ("given_up",))
    assert row.said == outbox_module.TOO_OLD
