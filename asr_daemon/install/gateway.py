"""The gateway's unit, user and access, where the configuration has ``[gateway]``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.install.beside import Beside, hiding
from asr_daemon.install.messages import message_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config
    from asr_daemon.config_sections import GatewaySection
    from asr_daemon.install.environment import Environment

GATEWAY = Beside("gateway", "-web", "serve", "gateway", "ASR_DAEMON_GATEWAY_USER")
WEB_UNIT, CLOSED, LET_IN = GATEWAY.unit, GATEWAY.closed, GATEWAY.let_in
WEB_SYSUSERS, WEB_TMPFILES = GATEWAY.sysusers, GATEWAY.tmpfiles
WEB_STATE_DIR = Path("/var/lib/asr-daemon-web")


def gateway_files(config: Config, environment: Environment, config_path: Path, user: str) -> dict[Path, str]:
    """Return unit and drop-ins as they should be; none where there is no gateway. ``user``: the service's."""
    name = GATEWAY.user(config, user)
    if config.gateway is None or name is None:
        return {}
    closed = _closed(config, config.gateway, environment, config_path)
    return GATEWAY.files(name, environment, config_path, closed)


def gateway_notes(config: Config) -> Iterator[str]:
    """Say how it is started, and let somebody in."""
    if config.gateway is not None:
        yield "the gateway: systemctl enable --now asr-daemon-web, after the daemon was started anew"
        yield "let somebody in: asr-daemon access add NAME --inbox N --may read,upload,edit"


def _closed(
    config: Config, section: GatewaySection, environment: Environment, config_path: Path
) -> Iterator[str]:
    """Yield lines of the gateway's drop-in: what it does not see, and what it needs of what is hidden."""
    tls = [path for path in (section.tls_certificate, section.tls_key) if path]
    needed = [*environment.folders, config_path.parent, *(path.parent for path in tls)]
    written = [section.spool] if section.spool and WEB_STATE_DIR not in section.spool.parents else []
    yield from hiding(config, needed, written)
    yield from message_lines(config, section)
