"""A week as an administrator, under a real systemd: shares that are away, new departments, mistakes.

One installation serves all tests; each begins with the service running and leaves it so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sandbox import CONFIG, PROGRAM, Sandbox

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.systemd, pytest.mark.slow, pytest.mark.timeout(600)]

SHARE = "/srv/nas"


def inboxes(service: Sandbox) -> dict[str, dict[str, Any]]:
    """Return what `status` says of each inbox."""
    status = json.loads(service.run(PROGRAM, "status", "--json", check=False))
    return {inbox["name"]: inbox for inbox in status["inboxes"]}


@pytest.fixture
def with_share(service: Sandbox) -> Iterator[Sandbox]:
    """Return the service with an inbox on a share of its own, mounted; take both away afterwards."""
    good = service.run("cat", CONFIG)
    service.run("mkdir", "-p", SHARE)
    service.run("mount", "-t", "tmpfs", "-o", "mode=777", "nas", SHARE)
    service.write(CONFIG, f'{good}\n[[inbox]]\nname = "nas"\npath = "{SHARE}"\n')
    service.run(PROGRAM, "install")
    service.run("systemctl", "restart", "asr-daemon")
    yield service
    service.run("umount", SHARE, check=False)
    service.write(CONFIG, good)
    service.run(PROGRAM, "install")
    service.run("systemctl", "restart", "asr-daemon")


def test_a_share_that_is_away_after_a_restart_is_not_an_empty_inbox(with_share: Sandbox) -> None:
    """The empty place, which systemd opens to the service, is told from the share, again and again."""
    service = with_share
    eventually(lambda: inboxes(service)["nas"]["watch"]["mode"] == "events")
    assert inboxes(service)["nas"]["problem"] == ""
    service.run("systemctl", "stop", "asr-daemon")
    service.run("umount", SHARE)
    for _ in range(2):
        service.run("systemctl", "restart", "asr-daemon")
        eventually(lambda: "is not mounted" in inboxes(service)["nas"]["problem"])
    service.run("mount", "-t", "tmpfs", "-o", "mode=777", "nas", SHARE)
    eventually(lambda: inboxes(service)["nas"]["problem"] == "")
