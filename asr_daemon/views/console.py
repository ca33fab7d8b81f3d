"""The console for people: as wide as their terminal, and wide enough for a file or a pipe."""

from __future__ import annotations

import shutil
import sys

import click
from rich.console import Console

from asr_daemon.printable import printable

PIPE_COLUMNS = 200


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout, or on stderr for what is not the command's answer."""
    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)  # names are no markup
    if not made.is_terminal:
        made.width = shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns
    return made


def echo_transcript(text: str) -> None:
    """Print a transcript: into a file or a pipe as it is written beside recordings, harmless on a screen."""
    click.echo(printable(text, lines=True) if sys.stdout.isatty() else text, nl=False)
