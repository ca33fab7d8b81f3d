"""Backups of the history: taken beside running writers, checked before they count, rotated, restored.

``copy`` takes one, ``database`` checks it, ``archive`` is the compressed file, ``rotation`` decides which
stay, ``restore`` brings one back, ``drill`` tries that, ``health`` tells how it all stands. A backup is one
file, ``history-20250315T033000Z.db.gz``: plain gzip, so that ``gunzip`` gives the database even where this
program is not at hand.
"""

from asr_daemon.backup.archive import BackupError, BackupInfo, list_backups
from asr_daemon.backup.copy import take_backup
from asr_daemon.backup.restore import restore_backup, verify_backup
from asr_daemon.backup.rotation import rotate

__all__ = [
    "BackupError",
    "BackupInfo",
    "list_backups",
    "restore_backup",
    "rotate",
    "take_backup",
    "verify_backup",
]
