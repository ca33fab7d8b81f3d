"""Recordings that may be parts of one, as the history has them, and which of them are to be looked at again.

Enters: the inboxes that join. Leaves: families of recordings with what can change a joined text. That a row
says something else than when it was looked at is found by comparing, not by being told: after a kill nothing
is lost. What is due stays so until :meth:`PartRows.done`. Fails as the history does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.transcripts.part_names import PartName, read_name
from asr_daemon.transcripts.part_order import Member

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping

    from asr_daemon.history.connection import History

MOST_AT_ONCE = 500  # rows that are taken note of in one transaction
NEWEST = 2000  # recordings that are looked at each time: what changes is mostly among them
WINDOW = 5000  # of the others, in turn
_CREATED = re.compile(r'"created:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)"')
_NOWHERE = PartName("", None)


@dataclass(frozen=True, slots=True)
class Kin:
    """A recording of a family, and how it stands."""

    member: Member
    name: str  # for people; the one that it had in the inbox
    problem: str  # why it has no text: "failed", "forgotten", "cancelled", "waiting"; "": it has
    seen: str  # changes with whatever can change its text, or its place
    first: int | None  # as it was found the last time
    holds: str  # of a first: what its run's files hold, as it was said then

    @property
    def id(self) -> int:
        """The recording's number."""
        return self.member.id


class PartRows:
    """The table of parts."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._inboxes = ""  # JSON
        self._looked_until = 0  # of this round
        self._has_seen_all = False

    # ------------------------------------------------------------------ looking

    def look(self, inboxes: Collection[str], within_s: float) -> bool:
        """Take note of what has changed in these inboxes; return whether all was looked at at least once.

        Each time at the newest recordings, and at some of the others in turn: at as many as there is time for
        until all were looked at, then at ``WINDOW``. A hundred thousand hold nobody up for longer.
        """
        until_s = time.monotonic() + within_s
        row = self._history.one("newest_recording")
        newest = 0 if row is None else int(row["id"])
        names = json.dumps(sorted(inboxes))
        if names != self._inboxes:
            self._inboxes, self._looked_until, self._has_seen_all = names, 0, False
        count = self._see_changed(newest - NEWEST, newest)
        while True:
            after = self._looked_until
            count += self._see_changed(after, after + WINDOW)
            self._looked_until = after + WINDOW
            if self._looked_until >= newest:
                self._looked_until, self._has_seen_all = 0, True
            if self._has_seen_all or time.monotonic() > until_s:
                break
        if count:
            with self._history.transaction() as history:
                history.run("settle_lone_parts")
        return self._has_seen_all

    def _see_changed(self, after: int, until: int) -> int:
        count = 0
        asked = {"inboxes": self._inboxes, "after": after, "until": until, "limit": MOST_AT_ONCE}
        while rows := self._history.all("changed_parts", **asked):
            with self._history.transaction():
                for row in rows:
                    self._see(row)
            count += len(rows)
        return count

    def _see(self, row: sqlite3.Row) -> None:
        seen = {
            key: row[column]
            for key, column in (("recording", "id"), ("seen", "seen"), ("path", "path"), ("name", "name"))
        }
        if row["archived_at"] is not None:
            self._history.run("see_archived_part", **seen)
            return
        family = family_of(row["inbox"], Path(os.fsdecode(row["path"])), row["name"])
        if row["family"] not in (None, "", family):
            self._history.run("make_family_due", family=row["family"])
        self._history.run("see_part", family=family, **seen)

    def due(self) -> list[str]:
        """Return the families whose files are to be looked after; "": recordings whose names say nothing."""
        return [row["family"] for row in self._history.all("due_families")]

    def members(self, family: str) -> list[Kin]:
        """Return the recordings of a family that are there."""
        return [_kin(row) for row in self._history.all("family_members", family=family)]

    def with_joined_files(self, family: str) -> list[int]:
        """Return the recordings of a family, former ones too, for whose runs files were written."""
        return [row["recording_id"] for row in self._history.all("joined_owners", family=family)]

    def family(self, recording: int) -> str:
        """Return a recording's family; "" where it has none, or was not looked at."""
        row = self._history.one("family_of", recording=recording)
        return "" if row is None else str(row["family"])

    def first(self, recording: int) -> int | None:
        """Return the recording that a recording's run begins with; None where that is not known."""
        row = self._history.one("family_of", recording=recording)
        return None if row is None else row["first"]

    # ------------------------------------------------------------------ what is known then

    def done(self, family: str, firsts: Mapping[int, int | None]) -> None:
        """Say that a family's files are looked after; ``firsts``: whose run is another than before."""
        with self._history.transaction() as history:
            for recording, first in firsts.items():
                history.run("set_run", recording=recording, first=first)
            history.run("family_is_done", family=family)

    def set_holds(self, first: int, holds: str) -> None:
        """Say what the joined files of a run hold; "": they are to be written in any case."""
        with self._history.transaction() as history:
            history.run("set_holds", recording=first, holds=holds)

    # ------------------------------------------------------------------ for the archive

    def rests(self, recording: int, since: str, long_since: str) -> bool:
        """Whether a recording is to lie with its run for a while: see ``resting_part``."""
        row = self._history.one("family_of", recording=recording)
        if row is None or row["is_due"]:
            written = self._history.one("written_at_of", recording=recording)
            return written is not None and (written["written_at"] or "") > long_since
        resting = self._history.one("resting_part", recording=recording, since=since, long_since=long_since)
        return resting is not None

    def written_first(self, recording: int) -> str:
        """Return when the first of a recording's run was written: a stamp, "" where that is not known."""
        row = self._history.one("written_first", recording=recording)
        return "" if row is None else row["written_at"] or ""


def family_of(inbox: str, path: Path, name: str) -> str:
    """Return what the parts of one recording have in common; "" where the name says nothing."""
    read = read_name(name)
    if read is None:
        return ""
    whole = b"\x00".join((inbox.encode(), os.fsencode(path.parent), read.family.encode("utf-8", "replace")))
    return hashlib.sha256(whole).hexdigest()[:32]


def _kin(row: sqlite3.Row) -> Kin:
    is_done = row["job_state"] == JobState.DONE and row["speakers"] != "due"
    member = Member(
        row["id"],
        read_name(row["name"]) or _NOWHERE,
        row["sha256"] or "",
        row["size_bytes"],
        row["mtime_ns"] / 1e9,
        from_stamp(row["found_at"]).timestamp(),
        row["duration_ms"] / 1000 if is_done and row["duration_ms"] is not None else None,
        _created_s(row["flags"]) if is_done else None,
    )
    return Kin(
        member, row["name"], _problem(row, is_done=is_done), row["seen"], row["first"], row["holds"] or ""
    )


def _created_s(flags: str) -> float | None:
    """Return when a recording was made by its container, by a clock that is the recorder's own."""
    found = _CREATED.search(flags)
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc).timestamp() if found else None
    except ValueError:
        return None


def _problem(row: sqlite3.Row, *, is_done: bool) -> str:
    if row["forgotten_at"] is not None:
        return "forgotten"
    state = RecordingState(row["state"])
    if state is RecordingState.DONE and is_done:
        return ""
    if state is RecordingState.CANCELLED:
        return "cancelled"
    return "failed" if state is RecordingState.FAILED else "waiting"
