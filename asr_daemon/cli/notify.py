"""``notify``: whether messages arrive, which ones wait or were given up, and trying those again."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.control.socket import NotRunningError, ask
from asr_daemon.errors import OperatorError, UsageError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.outbox import Row, listed, path_of
from asr_daemon.printable import json_text, printable

SILENT_FOR_S = 30.0


@click.group()
def notify() -> None:
    """Messages to people and programs: test, list, retry."""


@notify.command("test")
@click.argument("name")
@with_config
def test(context: Context, name: str) -> int:
    """Send a message on trial to the [[notify]] of that name, the usual way; say what came back."""
    config = context.config_in_force()
    try:
        answer = ask(config.socket_path, "notify_test", silent_for_s=SILENT_FOR_S, name=name)
    except NotRunningError:
        raise OperatorError("no daemon is running, and messages go through it: start it first") from None
    what = "sent" if answer["sent"] else "not sent"
    click.echo(printable(f"{name}: {what}: {answer['said']}"))
    return 0 if answer["sent"] else 1


@notify.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def list_(context: Context, as_json: bool) -> None:
    """List the messages that wait and those that were given up, oldest first, a thousand at most."""
    config = context.config_in_force()
    rows: list[Row] = []
    if config.history_path.exists():
        with contextlib.closing(open_history_read_only(config.history_path)) as history:
            rows = listed(history, ("waiting", "given_up"))
    shown = [_shown(row, config.shown_path(row.inbox, Path(path_of(row)))) for row in rows]
    if as_json:
        click.echo(json_text(shown, indent=2))
        return
    for each in shown:
        state = "given up" if each["state"] == "given_up" else f"due {each['due_at'] or 'now'}"
        line = f"{each['id']:>6}  {each['created_at']}  {each['target']}  {each['event']}"
        line += "".join(f"  {each[key]}" for key in ("inbox", "file") if each[key])
        said = f": {each['said']}" if each["said"] else ""
        click.echo(printable(f"{line}  ({state}, tried {each['attempts']} times{said})"))
    if not shown:
        click.echo("No message waits, and none was given up.")


def _shown(row: Row, file: str) -> dict[str, str | int | None]:
    return {
        "id": row.id,
        "message": row.uid,
        "target": row.target,
        "event": row.event,
        "state": row.state,
        "inbox": row.inbox,
        "file": file if row.recording is not None else "",
        "recording": row.recording,
        "created_at": row.created_at,
        "due_at": row.due_at or None,
        "attempts": row.attempts,
        "said": row.said,
    }


@notify.command("retry")
@click.argument("messages", metavar="[ID]...", type=int, nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that were given up.")
@with_config
def retry(context: Context, messages: tuple[int, ...], every: bool) -> None:
    """Try again messages that were given up, by their ID from `notify list`."""
    if bool(messages) == every:
        raise UsageError("name messages by their ID (see `asr-daemon notify list`), or take --all")
    answer = context.steer("notify_retry", notices=list(messages))
    click.echo(f"{answer['count']} messages are tried again.")


COMMANDS = (notify,)
