"""Configuration and environment, every problem at once, each with its key and its fix.

Enters: a configuration that could be read. Leaves: findings; nothing is changed but probe files that are
removed again. Rights are those of the installed service's user where root asks, otherwise one's own.
``folders``, ``engine``, ``host``, ``service``, ``gateway``, ``cluster`` and ``notify`` look, ``running`` asks
the daemon; ``rights`` tries as another user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.doctor.cluster import look_at_cluster
from asr_daemon.doctor.engine import look_at_engine
from asr_daemon.doctor.finding import Finding, Machine
from asr_daemon.doctor.folders import look_at_folders
from asr_daemon.doctor.gateway import look_at_gateway
from asr_daemon.doctor.host import look_at_host
from asr_daemon.doctor.notify import look_at_notify
from asr_daemon.doctor.running import look_at_running
from asr_daemon.doctor.service import look_at_backups, look_at_service, service_user, state_of_service
from asr_daemon.doctor.turns import look_at_turns

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.config import Config

__all__ = ["Finding", "Machine", "examine"]


def examine(config: Config, config_path: Path | None = None, machine: Machine | None = None) -> list[Finding]:
    """Return what was found; ``config_path`` is the file that the configuration came from."""
    machine = machine or Machine()
    user = service_user(config_path, machine)
    state = state_of_service(config_path, machine)
    folders = list(look_at_folders(config, user, machine))
    worse = {finding.key for finding in folders if finding.level == "error"}
    return [
        *folders,
        *look_at_engine(config, user, machine),
        *look_at_turns(config, machine),
        *look_at_backups(config, machine),
        *look_at_service(config_path, user, state, machine),
        *look_at_running(config, state, worse),
        *look_at_gateway(config, config_path, machine),
        *look_at_cluster(config, config_path, user, machine),
        *look_at_notify(config, config_path, machine),
        *look_at_host(config, machine),
    ]
