"""A gateway in this process before a stand-in of the daemon, for tests of live captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from live_gateway import Gateway
from live_standin import StandIn

from asr_daemon.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[StandIn]:
    """Return a stand-in."""
    path = Config.model_validate({"daemon": {"state_dir": tmp_path}, "gateway": {}}).gateway_socket_path
    with StandIn(path) as daemon:
        yield daemon


@pytest.fixture
def gateway(tmp_path: Path, daemon: StandIn) -> Iterator[Gateway]:
    """Return a gateway before it."""
    with Gateway(tmp_path) as gateway:
        yield gateway
