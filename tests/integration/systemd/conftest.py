"""Fixtures: a booted systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox import TOOL, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Yield a booted systemd."""
    if not TOOL.exists():
        pytest.skip(f"no systemd sandbox: {TOOL} is not there (ASR_SYSTEMD_SANDBOX names another)")
    sandbox = Sandbox(tmp_path_factory.mktemp("systemd"))
    sandbox.boot()
    yield sandbox
    sandbox.stop()
