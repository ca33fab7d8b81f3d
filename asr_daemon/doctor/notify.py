"""Messages: whether the gateway can read where they go, nobody else can, and whether they go.

Addresses are looked at, and shown in nothing but their kind.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

from asr_daemon.doctor.finding import Finding
from asr_daemon.doctor.rights import ServiceUser, Wanted, probe
from asr_daemon.errors import HistoryUnavailableError
from asr_daemon.files.owner import as_owner_of
from asr_daemon.gateway.notifications.address import Kind, address_of
from asr_daemon.gateway.notifications.apprise_child import PROGRAM, WITHIN_S
from asr_daemon.gateway.notifications.errors import NotSentError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.connection import HistoryError
from asr_daemon.history.outbox import Standing, standings
from asr_daemon.install.beside import unit_user
from asr_daemon.install.gateway import CLOSED, WEB_UNIT
from asr_daemon.install.messages import credential_line
from asr_daemon.install.running import is_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.config_notify import NotifySection
    from asr_daemon.doctor.finding import Machine
    from asr_daemon.gateway.notifications.address import Address

OTHERS_READ = 0o004


def look_at_notify(config: Config, config_path: Path | None, machine: Machine) -> Iterator[Finding]:
    """Say how messages stand; nothing where there are none."""
    if config.notify and config.gateway is None:
        text = "messages wait: the gateway sends them, and there is no [gateway]"
        yield Finding("warning", "notify", text, 'take the "#" of [gateway] away, and run `asr-daemon serve`')
    stand = _standings(config)
    for section in config.notify:
        key = f"notify {section.name!r}"
        problems = [*_files(key, section, config_path, machine), *_inline(key, section, config_path)]
        if not any(each.level == "error" for each in problems):
            problems += _address(key, section)
        yield from problems
        standing = stand.get(section.name, Standing())
        if standing.given_up:
            text = f"{standing.given_up} messages were tried for a day in vain, and given up"
            yield Finding("warning", key, text, "asr-daemon notify list; asr-daemon notify retry --all")
        if standing.problem:
            text = f"{standing.waiting} messages wait: {standing.problem}"
            yield Finding("warning", key, text, f"asr-daemon notify test {section.name}")


def _standings(config: Config) -> dict[str, Standing]:
    if not config.notify or not config.history_path.exists():
        return {}
    with (
        as_owner_of(config.state_dir),
        contextlib.suppress(HistoryError, HistoryUnavailableError),
        contextlib.closing(open_history_read_only(config.history_path)) as history,
    ):
        return standings(history)
    return {}


def _files(key: str, section: NotifySection, config_path: Path | None, machine: Machine) -> Iterator[Finding]:
    unit = machine.text(WEB_UNIT)
    is_installed = is_by(unit, config_path)
    given = machine.text(CLOSED).splitlines() if is_installed else []
    user = ServiceUser(unit_user(unit) if is_installed else None)
    for path in section.secret_files:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            fix = "write the address into it, then asr-daemon install"
            yield Finding("error", key, f"{path} cannot be read: {error.strerror}", fix)
            continue
        if mode & OTHERS_READ:
            text = f"{path} can be read by everybody: whoever has it can write into that group"
            yield Finding("warning", key, text, f"chmod 600 {path}")
        if credential_line(path) in given:
            continue
        if problem := probe([Wanted(path, "read")], user)[0]:
            text = f"the gateway's user {user.called} cannot read {path}: {problem}"
            yield Finding("error", key, text, "asr-daemon install")


def _inline(key: str, section: NotifySection, config_path: Path | None) -> Iterator[Finding]:
    if config_path is None or (section.url is None and section.secret is None):
        return
    with contextlib.suppress(OSError):
        if config_path.stat().st_mode & OTHERS_READ:
            text = f"its address stands in {config_path}, which everybody can read"
            yield Finding("warning", key, text, "use url_file and secret_file")


def _address(key: str, section: NotifySection) -> Iterator[Finding]:
    try:
        address = address_of(section)
        what = _known_to_apprise(address) if address.kind is Kind.APPRISE else str(address.kind)
    except NotSentError as error:
        yield Finding("error", key, error.said, "see [[notify]] in the commented config.toml")
        return
    yield Finding("ok", key, f"{what}, of {', '.join(section.on)}")


def _known_to_apprise(address: Address) -> str:
    """Return the name of the service; asked in a child, which imports it. Raises :class:`NotSentError`."""
    asked = json.dumps({"url": address.url, "only_look": True})
    try:
        ended = subprocess.run(
            [sys.executable, *PROGRAM],
            input=asked.encode(),
            capture_output=True,
            timeout=WITHIN_S,
            check=True,
        )
        answer = json.loads(ended.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        raise NotSentError("apprise could not be asked whether it knows the address") from None
    if not answer["sent"]:
        raise NotSentError(address.without_secrets(str(answer["said"])))
    return str(answer["said"])
