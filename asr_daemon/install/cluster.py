"""The bridge's unit, user and access, where the configuration has ``[cluster]``."""

from __future__ import annotations

import contextlib
import grp
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.install.beside import Beside, hiding
from asr_daemon.install.messages import credential_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config
    from asr_daemon.config_cluster import ClusterSection
    from asr_daemon.install.environment import Environment

BRIDGE = Beside("bridge", "-cluster", "bridge", "cluster", "ASR_DAEMON_CLUSTER_USER")
RAY_GROUP = "asr-daemon-ray"  # of the units in systemd/cluster
RAY_FOLDER = Path("/run/asr-daemon-ray")


def bridge_files(config: Config, environment: Environment, config_path: Path, user: str) -> dict[Path, str]:
    """Return unit and drop-ins as they should be; none where there is no cluster. ``user``: the service's."""
    name = BRIDGE.user(config, user)
    if config.cluster is None or name is None:
        return {}
    closed = _closed(config, config.cluster, environment, config_path)
    return BRIDGE.files(name, environment, config_path, closed)


def bridge_notes(config: Config) -> Iterator[str]:
    """Say how it is started."""
    if config.cluster is not None:
        yield "the cluster: systemctl enable --now asr-daemon-cluster, after the daemon was started anew"


def secret_files(section: ClusterSection) -> list[Path]:
    """Return token and certificates, as far as there are any."""
    given = (section.token_file, section.tls_ca, section.tls_certificate, section.tls_key)
    return [path for path in given if path]


def _closed(
    config: Config, section: ClusterSection, environment: Environment, config_path: Path
) -> Iterator[str]:
    """Yield lines of the bridge's drop-in: what it does not see, and what it needs of what is hidden."""
    yield from hiding(config, [*environment.folders, config_path.parent])
    yield from credential_lines(secret_files(section), "Ray's token and certificates")
    if not section.asks_client_server:
        yield from _as_a_part_of_it()


def _as_a_part_of_it() -> Iterator[str]:
    """Yield what the driver needs that joins a Ray of this machine, instead of asking for one elsewhere."""
    yield "# Loosened: Ray's driver looks for this machine's Ray among all processes, and at its memory."
    yield "ProtectProc=default"
    yield "ProcSubset=all"
    yield "# It joins that Ray's sockets, and writes its log beside Ray's."
    yield "Environment=RAY_event_log_reporter_enabled=0"
    yield f"ReadWritePaths=-{RAY_FOLDER}"
    with contextlib.suppress(KeyError):
        yield f"SupplementaryGroups={grp.getgrnam(RAY_GROUP).gr_name}"
