"""The gateway: whether it runs, can read what it needs, is open to nobody by mistake, and let somebody in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.control.gateway_status import count_accesses
from asr_daemon.control.socket import NotRunningError, ask
from asr_daemon.doctor.finding import Finding
from asr_daemon.doctor.rights import ServiceUser, Wanted, probe
from asr_daemon.errors import OperatorError
from asr_daemon.install.beside import unit_user
from asr_daemon.install.gateway import WEB_UNIT
from asr_daemon.install.grants import to_read
from asr_daemon.install.running import is_by, service_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.config_sections import GatewaySection
    from asr_daemon.doctor.finding import Machine

KEY = "gateway"
ANSWER_WITHIN_S = 3.0
AGAIN = "asr-daemon install"


def look_at_gateway(config: Config, config_path: Path | None, machine: Machine) -> Iterator[Finding]:
    """Say how the gateway stands; nothing where there is none."""
    unit = machine.text(WEB_UNIT)
    is_installed = is_by(unit, config_path)
    section = config.gateway
    if section is None:
        if is_installed:
            yield Finding("warning", KEY, f"{WEB_UNIT} is there, and [gateway] is not", AGAIN)
        return
    user = ServiceUser(unit_user(unit) if is_installed else None)
    if not user.is_known:
        yield Finding("error", KEY, f"the user {user.called} of the gateway is not there", AGAIN)
        return
    yield from _readable(section, config_path if is_installed else None, user)
    yield from _exposed(section)
    if count_accesses(config) == 0:
        fix = "asr-daemon access add NAME --inbox N --may read,upload,edit"
        yield Finding("warning", KEY, "nobody may use it yet: there is no token", fix)
    yield from _running(config, section, machine, is_installed=is_installed)


def _readable(section: GatewaySection, config_path: Path | None, user: ServiceUser) -> Iterator[Finding]:
    files = {"gateway.tls_certificate": section.tls_certificate, "gateway.tls_key": section.tls_key}
    wanted = {key: path for key, path in {"configuration": config_path, **files}.items() if path is not None}
    problems = probe([Wanted(path, "read") for path in wanted.values()], user)
    for (key, path), problem in zip(wanted.items(), problems, strict=True):
        if problem:
            fix = AGAIN if key == "configuration" else to_read(user.called, path)
            yield Finding(
                "error", key, f"the gateway's user {user.called} cannot read {path}: {problem}", fix
            )


def _exposed(section: GatewaySection) -> Iterator[Finding]:
    """Say where tokens and transcripts cross a network in the clear."""
    if section.tls_certificate is None and not section.listens_here and not section.trusted_proxies:
        text = f"{section.listen} is plain http: tokens and transcripts cross the network unprotected"
        fix = "set tls_certificate and tls_key, or listen at 127.0.0.1 behind a proxy"
        yield Finding("warning", "gateway.listen", text, fix)


def _running(
    config: Config, section: GatewaySection, machine: Machine, *, is_installed: bool
) -> Iterator[Finding]:
    state = service_state(machine.run, WEB_UNIT.name) if is_installed else None
    try:
        live = ask(config.socket_path, "status", silent_for_s=ANSWER_WITHIN_S, within_s=ANSWER_WITHIN_S)
    except (NotRunningError, OperatorError):
        live = None  # the daemon's trouble is said elsewhere
    for each in live["gateways"] if live else ():
        where = f"{each['listen']}, {'https' if each['tls'] else 'http'}"
        yield Finding("ok", KEY, f"a gateway serves ({where}; process {each['pid']}, user {each['user']})")
    if state is not None and state.problem:
        text, _, fix = state.problem.partition(": ")
        is_meant = state.active == "inactive" and not state.is_started_at_boot
        yield Finding("warning" if is_meant else "error", KEY, text.replace("service", "gateway"), fix)
    elif live and not live["gateways"]:
        text = f"no gateway serves {section.listen}"
        fix = "journalctl -u asr-daemon-web -e" if is_installed else "asr-daemon serve"
        yield Finding("error" if is_installed else "warning", KEY, text, fix)
