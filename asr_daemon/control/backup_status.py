"""The backups' part of the status."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from asr_daemon.clock import to_stamp

if TYPE_CHECKING:
    from asr_daemon.backup.health import BackupHealth


def backup_status(health: BackupHealth) -> dict[str, Any]:
    """Return what `status` shows of them."""
    last, drill = health.last, health.drill
    return {
        "last": last
        and {
            "path": os.fspath(last.path),
            "taken_at": to_stamp(last.taken_at),
            "size_bytes": last.size_bytes,
        },
        "error": health.error,
        "second_error": health.second_error,
        "overdue_since": to_stamp(health.overdue_since) if health.overdue_since else None,
        "drill": drill and {"at": drill.at, "file": drill.file, "problem": drill.problem},
        "problems": health.problems,
    }
