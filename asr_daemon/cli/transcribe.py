"""``transcribe``: files named on the command line, the same way and into the same history."""

from __future__ import annotations

from pathlib import Path

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.cli.one_off import one_off
from asr_daemon.config_sections import TEXT_FORMATS
from asr_daemon.delivery.rendering import render
from asr_daemon.printable import printable
from asr_daemon.views.console import echo_transcript


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--inbox", default="", metavar="NAME", help="Take that inbox's profile: hotwords, ITN, lengths."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(TEXT_FORMATS),
    default="txt",
    show_default=True,
    help="What to print.",
)
@click.option(
    "--speakers/--no-speakers",
    default=None,
    help="Say who speaks.  [default: as the inbox; without one, no]",
)
@with_config
def transcribe(
    context: Context, files: tuple[Path, ...], inbox: str, kind: str, speakers: bool | None
) -> int:
    """Transcribe recordings and print the transcripts.

    The same content under the same profile is not recognised twice. A running daemon does the work, before
    what waits in its queue; with none running this command does it itself.
    """
    present = [path for path in files if path.is_file()]
    for path in files:
        if path not in present:
            click.echo(f"asr-daemon: {printable(str(path))}: there is no such file", err=True)
    if not present:
        return 1
    failures = len(files) - len(present)
    with one_off(context, present) as way:
        for outcome in way.recognise(present, inbox=inbox, speakers=speakers):
            if outcome.filed is None:
                click.echo(f"asr-daemon: {printable(outcome.problem)}", err=True)
                failures += 1
                continue
            history = way.history
            echo_transcript(render(history, outcome.filed, kind))
            history.close()
    return 1 if failures else 0


COMMANDS = (transcribe,)
