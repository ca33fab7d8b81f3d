"""The file of the figures lies where everybody may write: nothing of the service is overwritten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import structlog
from way import OpenDaemon

from asr_daemon.telemetry.exposition import Exposition

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Shown(OpenDaemon):
    """A daemon that writes its figures into a folder like /tmp."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.place = folder / "collector"
        self.place.mkdir()
        self.place.chmod(0o1777)
        self.file = self.place / "asr.prom"
        metrics = self.config.metrics.model_copy(update={"textfile": self.file})
        self.parts.configuration.now = self.config.model_copy(update={"metrics": metrics})
        self.treasure = folder / "treasure"
        self.treasure.write_text("the service's own", encoding="utf-8")
        self.exposition = Exposition(self.parts)

    def close(self) -> None:
        """End."""
        self.exposition.close()
        super().close()


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    """Return it."""
    daemon = Shown(tmp_path)
    yield daemon
    daemon.close()


def test_links_laid_in_its_way_are_not_followed(shown: Shown) -> None:
    """Neither under its own name nor under those that could be guessed."""
    for name in ("asr.prom", f"asr.prom.{os.getpid()}", ".asr.prom.tmp", "asr.prom.tmp", "asr.prom.part"):
        (shown.place / name).symlink_to(shown.treasure)
    shown.exposition.show()
    assert shown.treasure.read_text(encoding="utf-8") == "the service's own"
    assert not shown.file.is_symlink()
    assert "asr_daemon_info" in shown.file.read_text(encoding="utf-8")


def test_file_is_readable_for_all_and_writable_for_nobody_else(shown: Shown) -> None:
    """Whatever the folder's mode; and nothing lies beside it."""
    shown.exposition.show()
    assert shown.file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in shown.place.iterdir()] == ["asr.prom"]


def test_folder_that_takes_no_file_is_said_once(shown: Shown) -> None:
    """A sentence, no traceback, and not every fifteen seconds; written again once it can be."""
    shown.file.mkdir()  # not to be replaced, as another's file in a sticky folder; by root neither
    (shown.file / "x").touch()
    with structlog.testing.capture_logs() as records:
        for _ in range(3):
            shown.exposition.show()
    assert [record["event"] for record in records] == ["metrics_file_not_written"]
    assert "asr.prom" in records[0]["problem"]
    assert [path.name for path in shown.place.iterdir()] == ["asr.prom"]
    (shown.file / "x").unlink()
    shown.file.rmdir()
    shown.exposition.show()
    assert shown.file.is_file()
