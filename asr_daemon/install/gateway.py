"""The gateway's unit, user and access, where the configuration has ``[gateway]``.

It runs as a user of its own, which the daemon knows by a drop-in: that user may ask through the socket in
``/run/asr-daemon``, and no other. A drop-in of its own hides the departments' folders and the history.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.install.access import is_hidden, quoted, quoted_bind, without_inner
from asr_daemon.install.messages import message_lines
from asr_daemon.install.shipped import shipped_text
from asr_daemon.install.units import unit_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config
    from asr_daemon.config_sections import GatewaySection
    from asr_daemon.install.environment import Environment
    from asr_daemon.install.steps import Steps

WEB_UNIT = Path("/etc/systemd/system/asr-daemon-web.service")
CLOSED = Path("/etc/systemd/system/asr-daemon-web.service.d/closed.conf")
LET_IN = Path("/etc/systemd/system/asr-daemon.service.d/gateway.conf")  # the daemon's
WEB_SYSUSERS = Path("/etc/sysusers.d/asr-daemon-web.conf")
WEB_TMPFILES = Path("/etc/tmpfiles.d/asr-daemon-web.conf")
WEB_STATE_DIR = Path("/var/lib/asr-daemon-web")
_SHIPPED_USER = "asr-daemon-web"
_MOST_USER_CHARS = 31

_HEAD = "# Written by `asr-daemon install`: run it again after the configuration changed.\n\n[Service]\n"


def gateway_user(config: Config, user: str) -> str:
    """Return the gateway's user: as configured, else the service's with "-web"."""
    configured = config.gateway.user if config.gateway else ""
    return configured or f"{user[: _MOST_USER_CHARS - 4]}-web"


def gateway_files(config: Config, environment: Environment, config_path: Path, user: str) -> dict[Path, str]:
    """Return unit and drop-ins as they should be; none where there is no gateway. ``user``: the service's."""
    if config.gateway is None:
        return {}
    name = gateway_user(config, user)
    commands = {"ExecStart": "serve"}
    return {
        WEB_UNIT: unit_text(WEB_UNIT.name, commands, environment, config_path, name),
        CLOSED: _closed(config, config.gateway, environment, config_path, name),
        LET_IN: _let_in(name),
    }


def install_gateway(steps: Steps, config: Config, user: str) -> None:
    """Make its user and folders; or take away what an earlier configuration had."""
    if config.gateway is None:
        remove_gateway(steps, is_booted=_is_booted(steps))
        return
    name = gateway_user(config, user)
    for path, shipped, program in (
        (WEB_SYSUSERS, "sysusers", ("systemd-sysusers",)),
        (WEB_TMPFILES, "tmpfiles", ("systemd-tmpfiles", "--create")),
    ):
        text = shipped_text(f"systemd/asr-daemon-web.{shipped}.conf")
        steps.write(path, re.sub(rf"(?<![\w/-]){_SHIPPED_USER}(?![\w-])", name, text))
        steps.command(*program, str(path))


def remove_gateway(steps: Steps, *, is_booted: bool) -> None:
    """Stop it and remove what installing wrote; its user and its folder stay."""
    if steps.place(WEB_UNIT).exists() and is_booted:
        steps.command("systemctl", "disable", "--now", WEB_UNIT.name)
    for path in (CLOSED, LET_IN, WEB_UNIT, WEB_TMPFILES, WEB_SYSUSERS):
        steps.remove(path)


def gateway_notes(config: Config) -> Iterator[str]:
    """Say how it is started, and let somebody in."""
    if config.gateway is not None:
        yield "the gateway: systemctl enable --now asr-daemon-web, after the daemon was started anew"
        yield "let somebody in: asr-daemon access add NAME --inbox N --may read,upload,edit"


def _is_booted(steps: Steps) -> bool:
    return steps.root == Path("/") and Path("/run/systemd/system").is_dir()


def _let_in(name: str) -> str:
    """Return the daemon's drop-in: whom its socket is for."""
    return (
        f"{_HEAD}# The gateway's user may ask through /run/asr-daemon/gateway.sock.\n"
        f"Environment=ASR_DAEMON_GATEWAY_USER={name}\n"
        "RuntimeDirectory=asr-daemon\nRuntimeDirectoryMode=0711\n"
        "# To give the socket to the gateway's group.\n"
        f"SupplementaryGroups={name}\n"
    )


def _closed(
    config: Config, section: GatewaySection, environment: Environment, config_path: Path, name: str
) -> str:
    """Return the gateway's drop-in: what it does not see, and what it needs of what is hidden."""
    tls = [path for path in (section.tls_certificate, section.tls_key) if path]
    needed = [*environment.folders, config_path.parent, *(path.parent for path in tls)]
    written = [section.spool] if section.spool and WEB_STATE_DIR not in section.spool.parents else []
    lines = [f"Environment=ASR_DAEMON_GATEWAY_USER={name}"]
    if any(map(is_hidden, (*needed, *written))):
        lines += ["# Of the homes, only what follows is there.", "ProtectHome=tmpfs"]
    lines += [f"BindReadOnlyPaths=-{quoted_bind(path)}" for path in without_inner(needed) if is_hidden(path)]
    for path in written:
        lines.append(
            f"BindPaths={quoted_bind(path)}" if is_hidden(path) else f"ReadWritePaths={quoted(path)}"
        )
    lines.append("# The departments' folders, the history, backups and models: it asks the daemon.")
    for path in without_inner(_foreign(config)):
        is_above = any(path == other or path in other.parents for other in (*needed, *written))
        if not is_hidden(path) and not is_above:
            lines.append(f"InaccessiblePaths=-{quoted(path)}")
    lines += message_lines(config, section)
    return _HEAD + "\n".join(lines) + "\n"


def unit_user(unit: str) -> str | None:
    """Return the user that a unit of the gateway names."""
    named = re.search(r"(?m)^User=(\S+)$", unit)
    return named[1] if named else None


def _foreign(config: Config) -> Iterator[Path]:
    yield config.state_dir
    yield from (config.backup_dir, config.models_dir, config.fallback_dir)
    if config.backup.second_dir is not None:
        yield config.backup.second_dir
    if config.daemon.inboxes is not None:
        yield config.daemon.inboxes
    for inbox in config.inbox:
        yield inbox.path
        if inbox.archive is not None:
            yield inbox.archive
        if inbox.hotwords is not None:
            yield inbox.hotwords
