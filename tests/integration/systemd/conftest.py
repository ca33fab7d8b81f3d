"""Fixtures: a booted systemd, and the service installed in it as an administrator would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox import CONFIG, INBOX, PROGRAM, TOOL, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

INBOX_LINES = f'\n[[inbox]]\nname = "财务"\npath = "{INBOX}"\nsettle_s = 1\nwatch = "events"\n'
# PrivateDevices=yes makes device nodes, which namespaces without their own /dev do not allow.
# The short times make a failure quick to see; they change nothing in kind.
FOR_THE_SANDBOX = "[Service]\nPrivateDevices=no\nWatchdogSec=10\nRestartSec=200ms\nStartLimitBurst=100\n"
DROP_IN = "/etc/systemd/system/asr-daemon.service.d/50-sandbox.conf"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Yield a booted systemd."""
    if not TOOL.exists():
        pytest.skip(f"no systemd sandbox: {TOOL} is not there (ASR_SYSTEMD_SANDBOX names another)")
    sandbox = Sandbox(tmp_path_factory.mktemp("systemd"))
    try:
        sandbox.boot()
        yield sandbox
    finally:
        sandbox.stop()


@pytest.fixture(scope="module")
def installed(sandbox: Sandbox) -> Sandbox:
    """Return a system in which an administrator installed the service for one department."""
    sandbox.run("groupadd", "--force", "finance")
    sandbox.run("mkdir", "-p", INBOX)
    sandbox.run("chgrp", "finance", INBOX)
    sandbox.run("chmod", "2770", INBOX)
    sandbox.run(PROGRAM, "install")
    sandbox.write(CONFIG, sandbox.run("cat", CONFIG) + INBOX_LINES)
    sandbox.run(PROGRAM, "install")
    sandbox.write(DROP_IN, FOR_THE_SANDBOX)
    sandbox.run("systemctl", "daemon-reload")
    sandbox.run("systemctl", "enable", "--now", "asr-daemon")
    return sandbox


@pytest.fixture
def service(installed: Sandbox) -> Iterator[Sandbox]:
    """Return the system with the service running; see that it still does afterwards."""
    if installed.show("ActiveState")["ActiveState"] != "active":
        installed.run("systemctl", "restart", "asr-daemon")
    yield installed
    assert installed.show("ActiveState")["ActiveState"] == "active"
