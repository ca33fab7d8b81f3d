"""What somebody may see and do, for every desk: what may not be read is not there."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from asr_daemon.access import Right
from asr_daemon.control import answers as a
from asr_daemon.control.refused import RefusedError
from asr_daemon.errors import JobError
from asr_daemon.history.console import FORGOTTEN
from asr_daemon.history.recordings import Recordings

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.access import Access
    from asr_daemon.daemon import Parts
    from asr_daemon.history import History
    from asr_daemon.history.console import Row
    from asr_daemon.history.recordings import Filed


def not_there() -> RefusedError:
    """Return the refusal of a recording that is not there, or may not be seen."""
    return RefusedError("not_found", "there is no such recording", "没有这个录音。")


@functools.cache
def _errors() -> dict[str, type[JobError]]:
    found: dict[str, type[JobError]] = {}
    classes: list[type[JobError]] = [JobError]
    while classes:
        each = classes.pop()
        found.setdefault(each.code, each)
        classes += each.__subclasses__()
    return found


def error_class(code: str) -> type[JobError]:
    """Return the class of a failure by its code, for its sentences in Chinese."""
    return _errors().get(code, JobError)


class Sight:
    """Looks at inboxes and recordings with somebody's eyes; any thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def inboxes(self, person: Access) -> tuple[str, ...]:
        """Return the configured inboxes that may be read."""
        return person.seen(section.name for section in self._parts.config.inbox)

    def require(self, person: Access, right: Right, inbox: str) -> None:
        """Raise :class:`RefusedError` unless that may be done there."""
        if inbox not in self.inboxes(person):
            raise RefusedError("not_found", "there is no such inbox", "没有这个文件夹。")
        if not person.may(right, inbox):
            raise RefusedError("forbidden", f"you may not {right} in this inbox", "您没有这个权限。")

    def which(self, person: Access, inbox: str | None) -> tuple[str, ...]:
        """Return the inbox that is asked for, or all that may be read; raises :class:`RefusedError`."""
        if inbox is not None:
            self.require(person, Right.READ, inbox)
            return (inbox,)
        return self.inboxes(person)

    def filed(self, history: History, person: Access, recording: int) -> Filed:
        """Return a recording; raises :class:`RefusedError` where it may not be seen."""
        filed = Recordings(history, self._parts.clock).get(recording)
        if filed is None or filed.recording.department not in self.inboxes(person):
            raise not_there()
        return filed

    def listed(self, row: Row) -> a.Listed:
        """Return a row of a list."""
        return a.Listed(
            row.id,
            row.inbox,
            self.within(row.inbox, row.path),
            row.state,
            row.found_at,
            row.written_at,
            row.duration_ms,
            row.problem,
            error_class(row.error_code or "").chinese if row.problem else None,
            row.forgotten_at,
            row.forgotten_by,
        )

    def listed_filed(self, filed: Filed) -> a.Listed:
        """Return the same of a single recording."""
        recording = filed.recording
        return a.Listed(
            recording.id,
            recording.department,
            self.within(recording.department, recording.path),
            FORGOTTEN if recording.forgotten_at else filed.state,
            "",
            recording.written_at or None,
            filed.work.duration_ms or None if filed.work else None,
            filed.problem or None,
            error_class(filed.work.error_code if filed.work else "").chinese if filed.problem else None,
            forgotten_at=recording.forgotten_at or None,
            forgotten_by=recording.forgotten_by,
        )

    def within(self, inbox: str, path: Path) -> str:
        """Return a path within its inbox."""
        return self._parts.config.shown_path(inbox, path)
