"""Looking back: what commands and the gateway read of the history, row by typed row. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.history.connection import History


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a job."""

    number: int
    recogniser: str  # "" of an older release
    started_at: str  # stamp
    ended_at: str  # "" while it goes on
    error_code: str  # "" where it went well
    error_message: str
    evidence: str  # ffmpeg's words, a traceback: for the administrator


def attempts_of(history: History, job: int) -> list[Attempt]:
    """Return what was tried, oldest first."""
    return [
        Attempt(
            row["number"],
            row["recogniser"] or "",
            row["started_at"],
            row["ended_at"] or "",
            row["error_code"] or "",
            row["error_message"] or "",
            row["evidence"] or "",
        )
        for row in history.all("attempts_of_job", job=job)
    ]
