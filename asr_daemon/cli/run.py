"""``run``: the daemon in the foreground; ``demo``: the whole way on sample recordings."""

from __future__ import annotations

from pathlib import Path

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.errors import UsageError
from asr_daemon.files.owner import become_for_good
from asr_daemon.service.process_1 import stay_behind_as_process_1
from asr_daemon.service.time_zone import zone_problem
from asr_daemon.telemetry import log


@click.command()
@with_config
def run(context: Context) -> int:
    """Run the daemon in the foreground; what the systemd unit starts.

    SIGTERM ends it within ten seconds, SIGHUP reads the configuration anew. Started by root on the folder of
    another user, it becomes that user.
    """
    from asr_daemon.life import Daemon  # noqa: PLC0415

    stay_behind_as_process_1()
    config = context.config()
    become_for_good()
    log.configure(config.daemon.log, config.daemon.log_level)
    if problem := zone_problem():
        log.get_logger().warning("time_zone_unknown", problem=problem)
    Daemon(config, context.found_path).run()
    return 0


@click.command()
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Work in this folder and keep it."
)
@click.option("--console", "opens_console", is_flag=True, help="Then open it to a browser, until Ctrl-C.")
@click.pass_obj
def demo(_context: Context, keep: Path | None, opens_console: bool) -> int:
    """Show the whole way on sample recordings with the built-in model, offline, in a throw-away folder.

    Ends with 1 when anything on the way failed or a transcript is not what it should be.
    """
    from asr_daemon.demo import run_demo  # noqa: PLC0415

    return run_demo(keep, opens_console=opens_console)


@click.command()
@with_config
def serve(context: Context) -> int:
    """Run the gateway in the foreground: console and HTTP interface, for those whom `access` lets in.

    Needs `[gateway]` in the configuration, and the daemon beside it (`run`).
    """
    from asr_daemon.gateway.server import serve_gateway  # noqa: PLC0415

    stay_behind_as_process_1()
    config = context.config()
    if config.gateway is None:
        raise UsageError("there is no [gateway] in the configuration: nobody said where to listen")
    log.configure(config.daemon.log, config.daemon.log_level)
    serve_gateway(config, config.gateway, config_path=context.found_path)
    return 0


COMMANDS = (run, serve, demo)
