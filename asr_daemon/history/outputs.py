"""Files that this program wrote into a share or a fall-back folder, and for which recording.

Only these are ever overwritten or removed. Fails as the history does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.transcripts.names import same_name_key

if TYPE_CHECKING:
    import sqlite3

    from asr_daemon.history.connection import History


@dataclass(frozen=True, slots=True)
class Output:
    """A file that was written, or is about to be."""

    path: Path
    format: str  # "txt", "srt", "vtt", "json" or "failure"
    written_sha256: str  # "" before it was
    planned_sha256: str
    sizes: tuple[int | None, ...] = ()  # in bytes, of what was written and planned; None: it is not known

    def is_as_written(self, sha256: str) -> bool:
        """Return whether a file of that content is ours still, and nobody edited it."""
        return sha256 in (self.written_sha256, self.planned_sha256)


@dataclass(frozen=True, slots=True)
class FailureFile:
    """A failed recording and the file beside it that says so."""

    recording: int
    job: int | None
    recording_path: Path
    path: Path


def outputs_of(history: History, recording: int) -> list[Output]:
    """Return the files of a recording."""
    return [_output(row) for row in history.all("recording_outputs", recording=recording)]


def failure_files(history: History, inbox: str) -> list[FailureFile]:
    """Return the failure files of an inbox."""
    return [
        FailureFile(row["recording"], row["job"], _path(row["path"]), _path(row["failure_path"]))
        for row in history.all("failure_files", inbox=inbox)
    ]


def forget_output(history: History, path: Path) -> None:
    """Remember no more that a file is ours."""
    with history.transaction():
        history.run("forget_output", path=os.fsencode(path))


def move_output(history: History, before: Path, path: Path) -> None:
    """Say that a file of ours lies elsewhere now; nothing happens where that is another recording's."""
    key = same_name_key(path).encode("utf-8", "surrogateescape")
    with history.transaction():
        history.run("move_output", before=os.fsencode(before), path=os.fsencode(path), same_name=key)


def _output(row: sqlite3.Row) -> Output:
    digests = (row["written_sha256"] or "", row["planned_sha256"] or "")
    sizes = (row["written_bytes"], row["planned_bytes"])
    known = tuple(size for digest, size in zip(digests, sizes, strict=True) if digest)
    return Output(_path(row["path"]), row["format"], *digests, known)


def _path(stored: bytes) -> Path:
    return Path(os.fsdecode(stored))
