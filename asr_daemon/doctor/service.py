"""The installed service: there, of this package, for this configuration; and its backups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.backup.health import backup_health
from asr_daemon.clock import to_stamp
from asr_daemon.doctor.finding import Finding
from asr_daemon.doctor.rights import ServiceUser, Wanted, probe
from asr_daemon.errors import AsrDaemonError
from asr_daemon.files.owner import as_owner_of
from asr_daemon.history import open_history_read_only
from asr_daemon.install.cluster import BRIDGE
from asr_daemon.install.gateway import LET_IN, WEB_UNIT
from asr_daemon.install.running import UNIT, is_by, service_state
from asr_daemon.install.service import (
    BOOTED,
    CARD,
    DROP_INS,
    SOCKET,
    Installation,
    expected_files,
    unit_files,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.doctor.finding import Machine
    from asr_daemon.install.running import ServiceState

_WHY_DIFFERENT = {
    UNIT: "it was installed by another release or environment",
    SOCKET: "metrics.port changed",
    WEB_UNIT: "it was installed by another release or environment",
    LET_IN: "[gateway] changed",
    BRIDGE.unit: "it was installed by another release or environment",
    BRIDGE.let_in: "[cluster] changed",
    BRIDGE.closed: "[cluster] or the inboxes changed, or the group asr-daemon-ray came or went",
}


def service_user(config_path: Path | None, machine: Machine) -> ServiceUser:
    """Return the user of the installed service, if it runs by this configuration; otherwise who asks."""
    unit = machine.text(UNIT)
    user = re.search(r"(?m)^User=(\S+)$", unit)
    if user is None or not is_by(unit, config_path):
        return ServiceUser()
    groups = re.search(r"(?m)^SupplementaryGroups=(.+)$", machine.text(DROP_INS / "inboxes.conf"))
    return ServiceUser(user[1], tuple(groups[1].split()) if groups else ())


def state_of_service(config_path: Path | None, machine: Machine) -> ServiceState | None:
    """Return how systemd has the service that runs by this configuration; None where there is none."""
    if not is_by(machine.text(UNIT), config_path):
        return None
    return service_state(machine.run)


def look_at_service(
    config_path: Path | None, user: ServiceUser, state: ServiceState | None, machine: Machine
) -> Iterator[Finding]:
    """Say whether the unit is installed, of this package, and fits the configuration."""
    key, again = "service", "asr-daemon install, then systemctl restart asr-daemon"
    unit = machine.text(UNIT)
    if not unit:
        booted = machine.place(BOOTED).is_dir()
        text = "no service is installed" + ("" if booted else " (systemd does not run here)")
        yield Finding("ok", key, text, "asr-daemon install" if booted else "")
        return
    if not is_by(unit, config_path):
        yield Finding("ok", key, f"{UNIT} runs by another configuration than {config_path}")
        return
    if not user.is_known:
        yield Finding("error", key, f"the user {user.called} of the service is not there", again)
        return
    assert config_path is not None  # noqa: S101 (the unit names it)
    (closed,) = probe([Wanted(config_path, "read")], user)
    if closed:
        text = f"{user.called} cannot read {config_path}: {closed}; the next start and reload would fail"
        yield Finding("error", "configuration", text, "asr-daemon install (it gives the service that right)")
    wanted = Installation(user=user.called, root=machine.root, config_path=config_path)
    expected = expected_files(wanted)
    differing = [path for path, text in expected.items() if machine.text(path) != text]
    if SOCKET not in expected and machine.place(SOCKET).exists():
        differing.append(SOCKET)
    for path in differing:
        why = _WHY_DIFFERENT.get(path, "inboxes came or went")
        yield Finding("warning", key, f"{path} does not fit this package and configuration: {why}", again)
    if not differing:
        yield Finding("ok", key, f"{UNIT} fits this package and configuration")
    if state is not None and state.is_older_than(unit_files(machine.root)):
        text = (
            "the running service was started before its unit or drop-in was changed: it sees the old folders"
        )
        yield Finding("warning", key, text, "systemctl restart asr-daemon")
    if machine.place(CARD).exists() and not machine.place(DROP_INS / "gpu.conf").exists():
        yield Finding("warning", key, "there is an NVIDIA device, but the service cannot reach it", again)


def look_at_backups(config: Config, machine: Machine) -> Iterator[Finding]:
    """Say what is wrong with the backups; looked at as their folder's owner, and by nobody else's links."""
    with as_owner_of(config.state_dir):
        yield from list(_look_at_backups(config, machine))


def _look_at_backups(config: Config, machine: Machine) -> Iterator[Finding]:
    if not config.backup.schedule:
        yield Finding("warning", "backup.schedule", "no backups are taken", "set a cron expression")
    remembered: dict[str, str] = {}
    if config.history_path.exists():
        try:
            history = open_history_read_only(config.history_path)
            remembered = {row["key"]: row["value"] for row in history.all("settings")}
            history.close()
        except AsrDaemonError as error:
            yield Finding("warning", "backup.schedule", str(error), "start the daemon")
    health = backup_health(config, lambda key: remembered.get(key, ""), machine.now())
    for problem in health.problems:
        yield Finding("error", "backup.schedule", problem, "asr-daemon backup now; journalctl -u asr-daemon")
    if health.of_the_future is not None:
        text = f"the newest backup is of {to_stamp(health.of_the_future.taken_at)}, in the future"
        yield Finding("warning", "clock", text, "look at the clock, then remove it and take a backup")
    elif health.last is not None and not health.problems:
        taken_at = health.last.taken_at
        yield Finding("ok", "backup.schedule", f"last backup {taken_at.astimezone():%Y-%m-%d %H:%M}")
