"""Rows of what is tried, and is no transcript: they go when nobody waits for them any more.

Enters: the folder that the tried files lie in. Leaves: a history as if nothing had been tried. Fails as the
history does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.history.segments import Segments
from asr_daemon.history.states import JobState

if TYPE_CHECKING:
    from collections.abc import Collection

    from asr_daemon.history.connection import History


class Trials:
    """The rows of files below a folder; any thread."""

    def __init__(self, history: History, folder: Path) -> None:
        self._history = history
        within = os.fsencode(folder)
        self._range = {"low": within + b"/", "high": within + b"0"}  # the character behind a slash

    def forget(self, in_hand: Collection[Path] = ()) -> int:
        """Forget all but those in these folders and those that run; return how many run."""
        running = 0
        for row in self._history.all("trials", **self._range):
            if Path(os.fsdecode(row["path"])).parent in in_hand:
                continue
            if row["state"] == JobState.RUNNING:
                running += 1
            else:
                self._forget(row["id"], row["job_id"])
        return running

    def _forget(self, recording: int, job: int | None) -> None:
        with self._history.transaction() as history:
            history.run("delete_trial", recording=recording)
            work = None if job is None else history.one("get_job", job=job)
            if work is None or history.one("others_of_trial", job=job) is not None:
                return
            Segments(history).forget(work["id"])
            history.run("delete_trial_job", job=job)
            profile = history.one("list_of_profile", digest=work["profile_digest"])
            history.run("drop_unused_profile", digest=work["profile_digest"])
            if profile is not None and profile["list_digest"]:
                history.run("keep_list_no_longer", digest=profile["list_digest"])
