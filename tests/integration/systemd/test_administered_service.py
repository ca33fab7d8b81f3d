"""A week as an administrator, under a real systemd: shares that are away, new departments, mistakes.

One installation serves all tests; each begins with the service running and leaves it so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sandbox import CONFIG, PROGRAM, Sandbox, now_us

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


# ------------------------------------------------------------------ a department comes


LATE = "/srv/late"


@pytest.fixture
def good(service: Sandbox) -> Iterator[str]:
    """Yield the configuration as it is, and bring it back afterwards."""
    good = service.run("cat", CONFIG)
    yield good
    service.write(CONFIG, good)
    service.run(PROGRAM, "install")
    service.run("systemctl", "restart", "asr-daemon")


def errors(service: Sandbox) -> dict[str, str]:
    """Return what `check` calls an error, by its key."""
    shown = service.run(PROGRAM, "check", "--json", "-c", CONFIG, check=False)
    found: dict[str, str] = {}
    for finding in json.loads(shown):
        if finding["level"] == "error":
            found[finding["key"]] = f"{found.get(finding['key'], '')}{finding['text']}\n"
    return found


def test_a_new_department_is_told_to_need_a_restart(service: Sandbox, good: str) -> None:
    """Edited, installed, reloaded: install, reload, check and journal say it; after the restart it works."""
    before = now_us()
    assert json.loads(service.run(PROGRAM, "install", "--json"))["restart_needed"] is False
    service.run("install", "-d", "-m", "777", LATE)
    service.write(CONFIG, f'{good}\n[[inbox]]\nname = "late"\npath = "{LATE}"\nsettle_s = 1\n')
    assert "does not watch" in errors(service)["inbox 'late': path"]
    assert json.loads(service.run(PROGRAM, "install", "--json"))["restart_needed"] is True
    assert "RESTART NEEDED" in service.run(PROGRAM, "install")
    reloaded = service.run("sh", "-c", "systemctl reload asr-daemon 2>&1 || echo failed")
    assert "failed" in reloaded
    told = service.await_record("ASR_EVENT=inbox_problem", "ASR_INBOX=late", after_us=before)
    assert "systemctl restart asr-daemon" in told["ASR_PROBLEM"]
    assert "systemctl restart asr-daemon" in errors(service)["inbox 'late': path"]
    service.run("systemctl", "restart", "asr-daemon")
    assert json.loads(service.run(PROGRAM, "install", "--json"))["restart_needed"] is False
    eventually(lambda: "inbox 'late': path" not in errors(service))
    assert inboxes(service)["late"]["problem"] == ""


def test_check_and_status_know_how_systemd_has_the_service(service: Sandbox, good: str) -> None:
    """Stopped, failed, disabled, its file closed to it: each is named, with an exit code for scripts."""

    def told() -> dict[str, Any]:
        status: dict[str, Any] = json.loads(service.run(PROGRAM, "status", "--json", check=False))
        return status

    assert told()["service"] == {"active": "active", "enabled": "enabled"}
    service.run("systemctl", "disable", "asr-daemon")
    assert "the next boot does not start it" in told()["problem"]
    service.run("systemctl", "enable", "asr-daemon")
    service.run("chmod", "600", CONFIG)
    assert "cannot read" in errors(service)["configuration"]
    eventually(lambda: "may not read it" in (told()["configuration"] or {"problem": ""})["problem"])
    service.run("systemctl", "stop", "asr-daemon")
    assert "stopped" in errors(service)["service"]
    assert "stopped" in told()["problem"]
    service.run("sh", "-c", f"! {PROGRAM} status")
    service.run("systemctl", "start", "asr-daemon", check=False)
    assert "failed (exit code 2)" in errors(service)["service"]
    assert "failed (exit code 2)" in told()["problem"]
    service.run(PROGRAM, "install")  # gives the right back
    service.run("systemctl", "start", "asr-daemon")
    eventually(lambda: errors(service) == {})
    assert told()["problem"] == ""
