"""The configuration in force, and the file that it came from.

Enters: the path of a file (or none: the defaults). Leaves: a configuration that may be taken up while the
daemon runs. An invalid one leaves the one in force as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.config import load_config
from asr_daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.config import Config


class Configuration:
    """What is configured now."""

    def __init__(self, config: Config, path: Path | None = None) -> None:
        self.now = config
        self._path = path

    def read_anew(self) -> Config:
        """Return the file's configuration of this moment, for a daemon that runs.

        Raises :class:`~asr_daemon.errors.ConfigurationError` where it is invalid, or where it changes what
        cannot change while the daemon runs.
        """
        config = load_config(self._path)
        if config.daemon.state_dir != self.now.daemon.state_dir:
            raise ConfigurationError(["daemon.state_dir: cannot change while the daemon runs"])
        return config
