"""``transcribe``: files named on the command line, the same way and into the same history."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from asr_daemon import log
from asr_daemon.cli.console import console
from asr_daemon.cli.context import Context, with_config
from asr_daemon.config import TRANSCRIPT_FORMATS
from asr_daemon.control import NotRunningError, ask
from asr_daemon.errors import OperatorError
from asr_daemon.history import open_history_read_only
from asr_daemon.rendering import render

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from asr_daemon.config import Config
    from asr_daemon.control import Answer
    from asr_daemon.history import History

ENDED = ("done", "failed", "quarantined")
POLL_S = 0.2


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--inbox", "inbox", default="", metavar="NAME", help="Take that inbox's profile: hotwords, ITN, lengths."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(TRANSCRIPT_FORMATS),
    default="txt",
    show_default=True,
    help="What to print.",
)
@with_config
def transcribe(context: Context, files: tuple[Path, ...], inbox: str, kind: str) -> int:
    """Transcribe recordings and print the transcripts.

    The same content under the same profile is not recognised twice. A running daemon does the work, before
    what waits in its queue; with none running this command does it itself.
    """
    config = context.config()
    missing = [path for path in files if not path.is_file()]
    for path in missing:
        click.echo(f"asr-daemon: {path}: there is no such file", err=True)
    present = [path for path in files if path not in missing]
    if not present:
        return 1
    failures = len(missing)
    with _a_daemon(context, config) as steer:
        answer = steer("submit", paths=[os.path.abspath(path) for path in present], inbox=inbox)
        with _progress() as progress:
            for result in answer["results"]:
                if "error" in result:
                    click.echo(f"asr-daemon: {result['error']}", err=True)
                    failures += 1
                    continue
                row, history = _await(config, steer, result, progress)
                if row["job_state"] == "done":
                    click.echo(render(history, row, kind), nl=False)
                else:
                    click.echo(f"asr-daemon: {row['name']}: {row['error_message']}", err=True)
                    failures += 1
                history.close()
    return 1 if failures else 0


@contextlib.contextmanager
def _a_daemon(context: Context, config: Config) -> Iterator[Callable[..., Answer]]:
    """Yield a way to steer the running daemon, or one that runs as long as this command."""
    try:
        ask(config.socket_path, "status")
    except NotRunningError:
        pass
    else:
        yield lambda command, **arguments: ask(config.socket_path, command, **arguments)
        return
    from asr_daemon.daemon import Daemon  # noqa: PLC0415

    log.configure("console", "debug" if context.debug else "error")
    daemon = Daemon(config, context.found_path)
    daemon.start(watch=False)
    try:
        yield lambda command, **arguments: daemon.steering.answer({"command": command, **arguments})
    finally:
        daemon.stop()


def _progress() -> Progress:
    shown_on = console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=shown_on,
        transient=True,
        disable=not shown_on.is_terminal,
    )


def _await(
    config: Config, steer: Callable[..., Answer], result: dict[str, Any], progress: Progress
) -> tuple[sqlite3.Row, History]:
    """Return the recording's row once its work has ended, showing how far it is."""
    task = progress.add_task(Path(result["path"]).name, total=100)
    history = open_history_read_only(config.history_path)
    while True:
        row = history.one("get_recording", recording=result["recording"])
        if row is not None and row["job_state"] in ENDED:
            progress.remove_task(task)
            return row, history
        _show(steer("status"), result["job"], progress, task)
        time.sleep(POLL_S)  # the history has no events for other processes


def _show(live: Answer, job: int, progress: Progress, task: TaskID) -> None:
    recogniser = live["recogniser"]
    if recogniser["state"] in ("blocked", "paused"):
        why = recogniser["problem"] or "the queue is paused; `asr-daemon resume` goes on"
        raise OperatorError(f"cannot transcribe at present: {why}")
    for work in live["in_work"]:
        if work["job"] == job and work["percent"] is not None:
            progress.update(task, completed=work["percent"])


COMMANDS = (transcribe,)
