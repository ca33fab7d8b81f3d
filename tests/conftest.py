"""Fixtures that every tier may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from support import DaemonUnderTest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

settings.register_profile("any machine", deadline=None)  # a slow day fails no test
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _log_stays_as_it_is() -> Iterator[None]:
    """What a command in this process sets of the log is not the next test's: it might hear nothing."""
    before = structlog.get_config()
    yield
    if structlog.get_config() != before:
        structlog.configure(**before)


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., DaemonUnderTest]]:
    """Return a maker of daemons that end with the test."""
    made: list[DaemonUnderTest] = []

    def make(inboxes: dict[str, str] | None = None, extra: str = "") -> DaemonUnderTest:
        daemon = DaemonUnderTest(tmp_path, inboxes=inboxes or {"inbox": ""}, extra=extra)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.kill()
