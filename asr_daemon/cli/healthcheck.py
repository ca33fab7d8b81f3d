"""``healthcheck``: one sentence and an exit code, for a container's engine or whatever looks after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.cli.in_force import likely_socket
from asr_daemon.config import load_config
from asr_daemon.control.socket import NotAnsweringError, NotRunningError, ask
from asr_daemon.errors import AsrDaemonError, ConfigurationError
from asr_daemon.files.owner import become_owner_of
from asr_daemon.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.control.socket import Answer

ANSWER_WITHIN_S = 2.0  # the whole command within three seconds
SHOWN = 3  # problems; the engine of a container keeps some lines


@click.command()
@with_config
def healthcheck(context: Context) -> int:
    """Say in one sentence whether the daemon does its work, within three seconds.

    Ends with 0 where it does (and where somebody paused it), and with 1 where none runs, where it
    hangs, where the queue is blocked or the state folder cannot be used, and where an inbox cannot be
    reached, read or written. The gateway is not meant.
    """
    try:
        answer = _asked(_socket(context.found_path))
    except AsrDaemonError as error:
        click.echo(f"unhealthy: {printable(str(error))}")
        return 1
    if problems := answer["problems"]:
        more = f" (and {len(problems) - SHOWN} more: asr-daemon status)" if len(problems) > SHOWN else ""
        click.echo(printable(f"unhealthy: {'; '.join(problems[:SHOWN])}{more}"))
        return 1
    click.echo(f"healthy: {answer['phase']}; inboxes: {answer['inboxes']}")
    return 0


def _socket(path: Path | None) -> Path:
    """Return the daemon's socket; it runs on where the file has been spoilt since."""
    try:
        config = load_config(path, finds_departments=False)
    except ConfigurationError:
        found = likely_socket(path)
    else:
        found = config.socket_path
    become_owner_of(found.parent)  # root without its capabilities may not even ask
    return found


def _asked(socket: Path) -> Answer:
    try:
        return ask(socket, "health", silent_for_s=ANSWER_WITHIN_S, within_s=ANSWER_WITHIN_S)
    except NotRunningError:
        raise NotRunningError(f"no daemon runs on the state folder {socket.parent}") from None
    except NotAnsweringError:
        raise NotAnsweringError("the daemon does not answer: it hangs, or the machine is too busy") from None


COMMANDS = (healthcheck,)
