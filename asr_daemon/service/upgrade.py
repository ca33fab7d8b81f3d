"""Before an older release's history is changed: it lies in the backups as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.backup import BackupError, take_backup
from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config

log = structlog.get_logger()


def back_up_before_migrating(
    config: Config, clock: Clock, steps: list[str], must_stop: Callable[[], bool]
) -> str:
    """Take a backup before these steps of migration, and return where; ``must_stop`` is asked meanwhile.

    Raises :class:`~asr_daemon.errors.OperatorError`.
    """
    try:
        made = take_backup(config.history_path, config.backup_dir, now=clock.now(), stop=must_stop)
    except BackupError as error:
        raise OperatorError(
            f"the history of an older release is changed only after a backup, which failed: {error}"
        ) from error
    log.info("backup_made_before_upgrade", file=made.path.name, steps=steps)
    return str(made.path)
