"""``bridge``: what connects the daemon to the recognisers of a Ray cluster."""

from __future__ import annotations

import importlib.util
import os

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.errors import UsageError
from asr_daemon.service.process_1 import stay_behind_as_process_1
from asr_daemon.telemetry import log

NEEDED = ("ray", "grpc", "cryptography")


@click.command()
@with_config
def bridge(context: Context) -> int:
    """Run the bridge to the cluster in the foreground: recognisers of other machines, for the daemon.

    Needs `[cluster]` in the configuration, and `pip install 'asr-daemon[cluster]'`.
    """
    stay_behind_as_process_1()
    config = context.config()
    if config.cluster is None:
        raise UsageError("there is no [cluster] in the configuration: nobody said which one")
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UsageError(f"{missing[0]} is not installed: pip install 'asr-daemon[cluster]'")
    log.configure(config.daemon.log, config.daemon.log_level)
    from asr_daemon.cluster.bridge import run  # noqa: PLC0415 (Ray's)

    status = run(config.cluster.as_handed_over(), config.cluster_socket_path)
    os._exit(status)  # a thread of Ray's that waits for its head would keep the process


COMMANDS = (bridge,)
