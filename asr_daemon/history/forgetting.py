"""A recording's text deleted for good: rows, the index to search by, and what is left of either in the file.

Enters: a recording's number. Leaves: a recording without text that nobody waits for, and a database whose
bytes do not hold it: pages are overwritten (``secure_delete``), the index, which marks words as deleted and
keeps them, is merged into one part without them, the write-ahead log is emptied. Merging takes its time where
the history is large: it goes on in steps until it is done, after a restart, too. Fails as the history does.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from asr_daemon.history.segments import Segments
from asr_daemon.history.settings import Settings
from asr_daemon.history.states import JobState

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.history.connection import History

# Whatever else is kept of a recording, or of the work that it belongs to, is named here, or goes by ON DELETE
# CASCADE with one of these (as embeddings do with their segments).
OF_RECORDING = ("forget_corrections", "forget_passages", "forget_corrected", "forget_part")
OF_JOB = ("forget_attempts",)
PAGES = 1000  # of the index that are merged in one step: nobody waits longer than that for the history
AT_ONCE_S = 2.0
ERASING = "erasing"  # a setting: "begin", "go on" until the file does not hold it any more
PROBLEM = "its text was forgotten; `asr-daemon retry` transcribes it again"


class Forgetting:
    """The history's part in it; any thread."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._settings = Settings(history)

    def forget(self, recording: int, who: str = "") -> list[int]:
        """Delete the text of a recording, of its earlier versions, too; return these recordings.

        ``who`` said so; what was forgotten before keeps its time, and who said so then.

        A text that another file has as well, by the same content, stays that file's.
        """
        with self._history.transaction() as history:
            rows = history.all("versions_of", recording=recording)
            versions = {row["id"]: row["job_id"] for row in rows} or {recording: None}
            for version in versions:
                for statement in OF_RECORDING:
                    history.run(statement, recording=version)
                history.run(
                    "forget_recording",
                    recording=version,
                    now=self._clock.stamp(),
                    who=who or None,
                    problem=PROBLEM,
                )
            for job in {job for job in versions.values() if job is not None}:
                self._forget_job(job)
            self._settings.set(ERASING, "begin")
        return list(versions)

    def _forget_job(self, job: int) -> None:
        history = self._history
        row = history.one("get_job", job=job)
        if row is None or history.one("others_of_job", job=job) is not None:
            return
        if row["state"] == JobState.RUNNING:
            return  # it is ended by who runs it; what came of it is deleted then: see half_forgotten
        Segments(history).forget(job)
        for statement in OF_JOB:
            history.run(statement, job=job)
        history.run("forget_job", job=job)

    def half_forgotten(self) -> list[int]:
        """Return forgotten recordings of which something is left."""
        return [row["id"] for row in self._history.all("half_forgotten")]

    def erase(self, within_s: float = AT_ONCE_S, is_stopping: Callable[[], bool] = lambda: False) -> bool:
        """Go on with what takes its time; return whether nothing is left to do."""
        until_s = time.monotonic() + within_s
        while state := self._settings.get(ERASING):
            if is_stopping() or time.monotonic() > until_s:
                return False
            if state == "begin":
                self._history.changes_of("begin_merge", pages=PAGES)
                self._settings.set(ERASING, "go on")
            elif self._history.changes_of("go_on_merging", pages=PAGES) < 2:  # noqa: PLR2004 (FTS5's own word for done)
                if not self._history.checkpoint():
                    return False
                self._settings.set(ERASING, "")
        return True
