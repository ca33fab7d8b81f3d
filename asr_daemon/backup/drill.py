"""The restore drill: the newest backup is restored for real, into a temporary place, and looked at.

Enters: a backup, a folder with room. Leaves: how it went, never an exception: failing is what it is for. A
backup that nobody ever restored is a hope.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from asr_daemon.backup.database import check_database
from asr_daemon.backup.restore import restore_backup
from asr_daemon.clock import from_stamp, to_stamp
from asr_daemon.errors import AsrDaemonError
from asr_daemon.history import open_history

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.backup.archive import BackupInfo

FOLDER = ".drill"  # below the given one; what a killed drill leaves goes with the next
EVERY = timedelta(days=30)
AGAIN = timedelta(days=1)  # after one that failed


@dataclass(frozen=True, slots=True)
class Drill:
    """How the last drill went."""

    at: str  # stamp
    file: str  # the backup's name
    problem: str = ""  # "" where all was well
    recordings: int = 0  # in the restored history

    @property
    def next_at(self) -> datetime:
        """When the next one is due."""
        return from_stamp(self.at) + (AGAIN if self.problem else EVERY)

    def to_json(self) -> str:
        """Return what :meth:`from_json` reads."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Drill | None:
        """Return the drill of that text; None where there was none yet."""
        return cls(**json.loads(text)) if text else None


def run_drill(backup: BackupInfo, folder: Path, *, now: datetime) -> Drill:
    """Restore the backup below ``folder``, check it, open it as the daemon would, and throw it away."""
    place = folder / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    try:
        place.mkdir(mode=0o700)
        restored = place / "history.db"
        restore_backup(backup.path, restored, now=now)
        history = open_history(restored)  # of an older release: brought up to date, as after a real restore
        try:
            recordings = sum(row["recordings"] for row in history.all("inbox_counts"))
        finally:
            history.close()
        check_database(restored, called=backup.path)
    except (AsrDaemonError, OSError) as error:
        return Drill(to_stamp(now), backup.path.name, str(error))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return Drill(to_stamp(now), backup.path.name, recordings=recordings)
