"""Commands that change something: ``retry``, ``cancel``, ``pause``, ``resume``, ``reload``, ``backup``.

A running daemon is asked; with none running they take its lock and do it themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.cli.in_force import likely_socket
from asr_daemon.control.socket import NotRunningError, ask
from asr_daemon.errors import ConfigurationError, OperatorError, UsageError
from asr_daemon.printable import json_text, printable

if TYPE_CHECKING:
    from asr_daemon.control.socket import Answer


@click.command()
@click.argument("recordings", metavar="[ID]...", type=int, nargs=-1)
@click.option("--failed", is_flag=True, help="Every recording that failed for a fault of its own.")
@click.option("--quarantined", is_flag=True, help="Every recording that was given up after several attempts.")
@click.option(
    "--class", "code", metavar="CLASS", help="Of those, or of both: only this failure class (see `history`)."
)
@click.option("--inbox", metavar="NAME", help="With --hotwords-changed: the inbox.")
@click.option(
    "--hotwords-changed", is_flag=True, help="Every finished recording whose hotword list has changed since."
)
@click.option(
    "--outputs",
    is_flag=True,
    help="Recognise nothing: write the files of these recordings anew, by their ID.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def retry(
    context: Context,
    recordings: tuple[int, ...],
    failed: bool,
    quarantined: bool,
    code: str | None,
    inbox: str | None,
    hotwords_changed: bool,
    outputs: bool,
    as_json: bool,
) -> int:
    """Transcribe recordings again: by their ID from `history`, all that failed, or with changed hotwords.

    With --outputs their files are written anew, in every format of their inbox as it is configured now, also
    in the archive; what a person edited stays. Ends with 1 where that cannot be done for one of them.
    """
    if outputs:
        if not recordings or failed or quarantined or code or hotwords_changed or inbox is not None:
            raise UsageError(
                "--outputs takes recordings by their ID (see `asr-daemon history`) and nothing else"
            )
        return _say_files(context.steer("write_outputs", recordings=list(recordings)), as_json=as_json)
    if hotwords_changed != (inbox is not None):
        raise UsageError("--inbox NAME and --hotwords-changed belong together")
    if inbox is not None:
        _say_count(context.steer("retry_with_other_hotwords", inbox=inbox), as_json=as_json)
        return 0
    both = failed == quarantined
    state = (
        None
        if not (failed or quarantined or code)
        else "any"
        if both
        else "failed"
        if failed
        else "quarantined"
    )
    if not recordings and state is None:
        raise UsageError(
            "name recordings by their ID (see `asr-daemon history`), or --failed, --quarantined, --class"
        )
    answer = context.steer("retry", recordings=list(recordings), state=state, code=code)
    _say_count(answer, as_json=as_json)
    return 0


def _say_files(answer: Answer, *, as_json: bool) -> int:
    """Say what became of each recording's files; return the exit code."""
    told = answer["recordings"]
    if as_json:
        click.echo(json_text(told))
    for each in () if as_json else told:
        number = each["recording"]
        if each["written"]:
            click.echo(printable(f"{number}: written anew: {', '.join(each['written'])}"))
        if each["kept"]:
            click.echo(printable(f"{number}: edited by a person, and left: {', '.join(each['kept'])}"))
        if each["problem"]:
            click.echo(printable(f"asr-daemon: {number}: {each['problem']}"), err=True)
    return 1 if any(each["problem"] for each in told) else 0


def _say_count(answer: Answer, *, as_json: bool) -> None:
    click.echo(json_text(answer) if as_json else f"{answer['count']} recordings go back to the queue.")


@click.command()
@click.argument("recordings", metavar="ID...", type=int, nargs=-1, required=True)
@with_config
def cancel(context: Context, recordings: tuple[int, ...]) -> None:
    """Wait for recordings no more, by their ID from `history`; what is in work of them stops at once.

    What was recognised so far is kept: `retry ID` goes on from there, and the file itself stays where it is.
    """
    answer = context.steer("cancel", recordings=list(recordings))
    click.echo(f"{answer['count']} recordings are not waited for any more. `asr-daemon retry ID` goes on.")


@click.command()
@with_config
def pause(context: Context) -> None:
    """Begin no further recording; those in work are finished, new ones are queued."""
    context.steer("pause")
    click.echo("Paused. `asr-daemon resume` goes on.")


@click.command()
@with_config
def resume(context: Context) -> None:
    """Go on after `pause`."""
    context.steer("resume")
    click.echo("Goes on.")


@click.command("reload")
@with_config
def reload_configuration(context: Context) -> int:
    """Let the running daemon take up the changed configuration; `systemctl reload asr-daemon` calls it.

    Ends with 2, and every problem, where it was refused (the one before stays in force); with 1 where an
    inbox is of no use before a restart, or no daemon runs.
    """
    try:
        socket = context.config().socket_path
    except ConfigurationError:  # the daemon says what is wrong with it
        socket = likely_socket(context.found_path)
    try:
        answer = ask(socket, "reload")
    except NotRunningError:
        raise OperatorError("no daemon is running that could take up a configuration") from None
    for sentence in answer["needs_restart"]:
        click.echo(f"asr-daemon: {sentence}", err=True)
    click.echo("The configuration is taken up.")
    return 1 if answer["needs_restart"] else 0


@click.group()
def backup() -> None:
    """Copies of the history: take, list, verify, restore."""


@backup.command("now")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def backup_now(context: Context, as_json: bool) -> None:
    """Take a checked backup now."""
    made = context.steer("backup")
    click.echo(json_text(made) if as_json else printable(f"{made['path']} ({made['size_bytes']} bytes)"))
    if made["second_problem"]:
        click.echo(f"asr-daemon: no copy in the second folder: {printable(made['second_problem'])}", err=True)


@backup.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def backup_list(context: Context, as_json: bool) -> None:
    """List the backups, newest first."""
    from asr_daemon.backup import list_backups  # noqa: PLC0415

    backups = list_backups(context.config_in_force().backup_dir)
    if as_json:
        rows = [
            {"path": str(b.path), "taken_at": b.taken_at.isoformat(), "size_bytes": b.size_bytes}
            for b in backups
        ]
        click.echo(json_text(rows))
        return
    for each in backups:
        taken = f"{each.taken_at.astimezone():%Y-%m-%d %H:%M:%S}"
        click.echo(f"{taken}  {each.size_bytes:>12,}  {printable(str(each.path))}")
    if not backups:
        click.echo("There is no backup yet; `asr-daemon backup now` takes one.")


@backup.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@with_config
def backup_verify(_context: Context, file: Path) -> None:
    """Open a backup in a temporary place, check its integrity and count its rows."""
    from asr_daemon.backup import verify_backup  # noqa: PLC0415

    checked = verify_backup(file)
    rows = ", ".join(f"{count} {table}" for table, count in sorted(checked.rows.items()) if count)
    click.echo(printable(f"{file} is sound: {rows or 'no rows'}."))


@backup.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@with_config
def backup_restore(context: Context, file: Path) -> None:
    """Put a backup in the history's place; the replaced history is kept. Refused while a daemon runs."""
    from asr_daemon.backup import restore_backup  # noqa: PLC0415
    from asr_daemon.service.state_folder import StateFolder  # noqa: PLC0415

    config = context.config()
    with StateFolder(config.state_dir):
        kept = restore_backup(file, config.history_path)
    replaced = (
        f"The history that it replaced is kept as {kept}." if kept else "There was no history to replace."
    )
    click.echo(printable(f"Restored {file}. {replaced}"))


COMMANDS = (retry, cancel, pause, resume, reload_configuration, backup)
