"""What outlives a restart beside the recordings: a few words by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.history.connection import History

PAUSED = "paused"
_LEASE = "cluster_lease"  # the one given last


class Settings:
    """Names and their values, in the history; fails as the history does."""

    def __init__(self, history: History) -> None:
        self._history = history

    def get(self, key: str) -> str:
        """Return what was remembered under that name, "" where nothing was."""
        row = self._history.one("get_setting", key=key)
        return "" if row is None else str(row["value"])

    def set(self, key: str, value: str) -> None:
        """Remember that."""
        with self._history.transaction() as history:
            history.run("set_setting", key=key, value=value)

    @property
    def is_paused(self) -> bool:
        """Whether no further recording is begun."""
        return self.get(PAUSED) == "1"

    def pause(self, paused: bool) -> None:
        """Begin no further recording, or go on."""
        self.set(PAUSED, "1" if paused else "0")

    def next_lease(self) -> int:
        """Return a number that no recogniser on another machine was hired under before."""
        with self._history.transaction():
            lease = int(self.get(_LEASE) or 0) + 1
            self.set(_LEASE, str(lease))
        return lease

    def presence(self, folder: Path) -> str:
        """Return how an inbox was last seen (JSON), "" where it never was."""
        return self.get(_presence(folder))

    def remember_presence(self, folder: Path, presence: str) -> None:
        """Remember how an inbox was seen."""
        self.set(_presence(folder), presence)


def _presence(folder: Path) -> str:
    return f"presence:{folder}"
