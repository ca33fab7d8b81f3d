"""The configuration in force, and the file that it came from.

Enters: the path of a file (or none: the defaults). Leaves: a configuration that may be taken up while the
daemon runs, and how the file stands now. An invalid one leaves the one in force as it is; that the next start
would fail is told before somebody starts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from asr_daemon.config import load_config
from asr_daemon.errors import ConfigurationError
from asr_daemon.files.departments import list_departments

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from asr_daemon.config import Config

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FileNow:
    """How the file stands beside the configuration in force."""

    problem: str = ""  # why it could not be taken up: a restart would fail
    is_pending: bool = False  # it says something else than what is in force


class Configuration:
    """What is configured now."""

    def __init__(self, config: Config, path: Path | None = None) -> None:
        self.now = config
        self.path = path
        self.departments_problem = ""  # why the folder of the departments cannot be looked into
        self._looked_at: tuple[int, ...] | None = None
        self._read = config  # the file's, as it was looked at
        self._problem = ""

    def read_anew(self) -> Config:
        """Return the file's configuration of this moment, for a daemon that runs.

        Raises :class:`~asr_daemon.errors.ConfigurationError` where it is invalid, or where it changes what
        cannot change while the daemon runs.
        """
        config = load_config(self.path, finds_departments=False)
        if config.daemon.inboxes is not None:
            found = list_departments(config.daemon.inboxes)
            known = [inbox.name for inbox in self.now.departments]
            config = config.with_departments(known if found.problem else found.inodes)
        if config.daemon.state_dir != self.now.daemon.state_dir:
            raise ConfigurationError(["daemon.state_dir: cannot change while the daemon runs"])
        return config

    def look(self) -> FileNow:
        """Return how the file stands; it is read only where it changed since."""
        if self.path is None:
            return FileNow()
        try:
            found: tuple[int, ...] = _signature(self.path.stat())
        except OSError:
            found = ()
        if found != self._looked_at:
            self._looked_at = found
            self._read_and_say()
        return FileNow(self._problem, not self._problem and self._read.stated != self.now.stated)

    def _read_and_say(self) -> None:
        self._problem = ""
        try:
            self._read = self.read_anew()
        except ConfigurationError as error:
            self._problem = str(error)
            for problem in error.problems:
                log.warning("configuration_file_invalid", problem=problem)


def _signature(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode, found.st_uid, found.st_gid)
