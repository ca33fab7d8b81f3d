"""Messages to be sent: written with what they tell of, kept until they were taken, or a day went by.

Enters: what happened, whom the configuration names, what receivers said. Leaves: batches, each under an id
that stays the same however often it is tried. Messages of one subject (a recording, the queue ...) keep
their order. Recordings' own are written by :mod:`asr_daemon.history.recordings`. Fails as the history does.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp, to_stamp
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from asr_daemon.clock import Clock
    from asr_daemon.config_notify import NotifySection
    from asr_daemon.history.connection import History

MOST_IN_BATCH = 50
FIRST_RETRY_S = 15.0  # doubles with every attempt
GIVE_UP_AFTER = timedelta(days=1)  # since the first attempt
NOBODY = "there is no [[notify]] of that name any more"
TOO_OLD = "no gateway sent it for as long as messages are kept"
MOST_LISTED = 1000
TEST = "test"


@dataclass(frozen=True, slots=True)
class Row:
    """One message to one receiver."""

    id: int
    uid: str
    target: str
    event: str
    inbox: str
    recording: int | None
    code: str
    problem: str
    problem_zh: str
    state: str
    created_at: str
    attempts: int
    due_at: str
    said: str
    path: bytes = b""  # of the recording, where it was asked for

    @classmethod
    def of(cls, row: sqlite3.Row, path: bytes = b"") -> Row:
        """Return a row of the table."""
        return cls(
            row["id"],
            row["uid"],
            row["target"],
            row["event"],
            row["inbox"],
            row["recording_id"],
            row["code"],
            row["problem"],
            row["problem_zh"],
            row["state"],
            row["created_at"],
            row["attempts"],
            row["due_at"] or "",
            row["said"],
            path,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent as one."""

    id: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be sent now, or when to ask again."""

    batch: Batch | None
    ask_again_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How the messages of one receiver stand."""

    waiting: int = 0
    oldest_waiting: str = ""  # stamp
    given_up: int = 0
    last_sent_at: str = ""
    problem: str = ""  # what was said the last time, of those that wait


class Outbox:
    """The table of messages."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock

    # ------------------------------------------------------------------ in

    def configure(self, sections: Collection[NotifySection]) -> None:
        """Write down who wants to hear of what; what waits for others is given up, and says so."""
        wanted = [(each.name, json.dumps(each.on), json.dumps(each.inbox)) for each in sections]
        known = [(row["name"], row["events"], row["inboxes"]) for row in self._history.all("notice_targets")]
        if sorted(wanted) == known:
            return
        with self._history.transaction() as history:
            history.run("forget_notice_targets")
            for name, events, inboxes in wanted:
                history.run("add_notice_target", name=name, events=events, inboxes=inboxes)
            history.run("give_up_strangers", now=self._clock.stamp(), said=NOBODY)

    def announce(self, event: str, subject: str, problem: str = "", inbox: str = "") -> None:
        """Tell everybody who wants to hear of it; joins the transaction that is under way."""
        with self._history.transaction() as history:
            history.run(
                "announce_event",
                event=event,
                subject=subject,
                inbox=inbox,
                problem=str(problem),
                problem_zh=problem.chinese if isinstance(problem, Sentence) else "",
                now=self._clock.stamp(),
            )

    def test(self, target: str) -> int:
        """Put a message in for somebody who waits; return its number."""
        with self._history.transaction() as history:
            row = history.one("announce_test", target=target, now=self._clock.stamp())
            assert row is not None  # noqa: S101 (RETURNING)
            return int(row["id"])

    def get(self, notice: int) -> Row | None:
        """Return that message."""
        row = self._history.one("get_notice", notice=notice)
        return None if row is None else Row.of(row)

    def give_up(self, notice: int, said: str) -> None:
        """Wait for it no more."""
        with self._history.transaction() as history:
            history.run("give_up_notice", notice=notice, said=said, now=self._clock.stamp())

    # ------------------------------------------------------------------ out

    def due(self, section: NotifySection, *, alone: bool) -> Due:
        """Return what is to be sent now; ``alone``: nothing is put together.

        What was put together once is sent so again: its id means the same messages.
        """
        now = self._clock.now()
        if (row := self._history.one("test_notice", target=section.name)) is not None:
            return Due(self._begin([Row.of(row)]))
        if (until := quiet_until(section, now)) is not None:
            return Due(None, max(1.0, (until - now).total_seconds()))
        tried = self._history.one("due_batch", target=section.name, now=to_stamp(now))
        if tried is not None:
            rows = self._history.all("batch_notices", batch=tried["batch"])
            return Due(Batch(tried["batch"], tuple(map(Row.of, rows))))
        limit = 1 if alone else MOST_IN_BATCH
        fresh = [Row.of(row) for row in self._history.all("fresh_notices", target=section.name, limit=limit)]
        later = self._history.one("next_batch_due", target=section.name)
        at = from_stamp(later["due_at"]) if later is not None and later["due_at"] else None
        if fresh and not alone:
            ripe = from_stamp(fresh[0].created_at) + timedelta(seconds=section.digest_s)
            if now < ripe and len(fresh) < MOST_IN_BATCH:
                fresh, at = [], min(at or ripe, ripe)
        if fresh:
            return Due(self._begin(fresh))
        return Due(None, max(0.05, (at - now).total_seconds()) if at else Due(None).ask_again_s)

    def _begin(self, rows: list[Row]) -> Batch:
        """Put them together for good."""
        batch = rows[0].uid if len(rows) == 1 else f"msg_{uuid.uuid4().hex}"
        numbers = json.dumps([row.id for row in rows])
        with self._history.transaction() as history:
            history.run("begin_batch", batch=batch, notices=numbers)
        return Batch(batch, tuple(rows))

    def settle(
        self, batch: str, *, is_sent: bool, said: str, after_s: float = 0.0, was_away: bool = False
    ) -> str:
        """Say what became of a batch: "sent", "waiting" (it is tried again) or "given_up"; "" of none.

        ``after_s``: the receiver asked for that much time. ``was_away``: it took nothing for a while, and is
        back: what waits for another try has it now.
        """
        now = self._clock.now()
        with self._history.transaction() as history:
            rows = history.all("batch_notices", batch=batch)
            if not rows:
                return ""
            state = "sent" if is_sent else "given_up" if rows[0]["event"] == TEST else ""
            since = from_stamp(rows[0]["first_tried_at"]) if rows[0]["first_tried_at"] else now
            if not state and now - since >= GIVE_UP_AFTER:
                state = "given_up"
            if state and was_away:
                history.run("hurry_notices", batch=batch)
            if state:
                history.run("end_notices", batch=batch, state=state, said=said, now=to_stamp(now))
                return state
            delay_s = max(after_s, FIRST_RETRY_S * 2.0 ** min(rows[0]["attempts"], 32))
            due_at = min(now + timedelta(seconds=delay_s), since + GIVE_UP_AFTER)
            history.run("put_off_notices", batch=batch, due_at=to_stamp(due_at), said=said, now=to_stamp(now))
            return "waiting"

    # ------------------------------------------------------------------ looking, and afterwards

    def retry(self, notices: Collection[int] = ()) -> int:
        """Try again what was given up: these, or all; return how many."""
        with self._history.transaction() as history:
            return history.run("revive_notices", notices=json.dumps(sorted(notices))).rowcount

    def expire(self, days: int) -> int:
        """Forget what ended that many days ago, give up what has waited for so long; return how many.

        It waits so where no gateway serves.
        """
        before = to_stamp(self._clock.now() - timedelta(days=days))
        with self._history.transaction() as history:
            history.run("give_up_old_notices", before=before, said=TOO_OLD, now=self._clock.stamp())
            return history.run("expire_notices", before=before).rowcount


def standings(history: History) -> dict[str, Standing]:
    """Return how the messages stand, by receiver."""
    counts = {(row["target"], row["state"]): row for row in history.all("notice_counts")}
    said = {row["target"]: row["said"] for row in history.all("notice_troubles")}
    found = {}
    for target in {name for name, _ in counts}:
        waiting, sent = counts.get((target, "waiting")), counts.get((target, "sent"))
        given_up = counts.get((target, "given_up"))
        found[target] = Standing(
            waiting["notices"] if waiting else 0,
            waiting["oldest"] if waiting else "",
            given_up["notices"] if given_up else 0,
            sent["newest"] if sent else "",
            said.get(target, ""),
        )
    return found


def listed(history: History, states: Collection[str]) -> list[Row]:
    """Return the messages of these states, oldest first, with the paths of their recordings."""
    rows = history.all("listed_notices", states=json.dumps(sorted(states)), limit=MOST_LISTED)
    return [Row.of(row, bytes(row["path"] or b"")) for row in rows]


def path_of(row: Row) -> str:
    """Return the recording's path as the file system has it; invalid UTF-8 as surrogates."""
    return os.fsdecode(row.path)


def quiet_until(section: NotifySection, moment: datetime) -> datetime | None:
    """Return when the quiet hours end that a moment falls into, by the local clock; None outside them."""
    quiet = section.quiet_hours
    if quiet is None or not quiet.are_open(moment):
        return None
    ends_at = quiet.close_at(moment)
    return None if ends_at is None else ends_at.astimezone()
