"""Live captions in a terminal: a finished sentence is a line, the one being spoken is rewritten in place."""

from __future__ import annotations

import shutil
import sys
import unicodedata

import click

from asr_daemon.printable import printable
from asr_daemon.transcripts import live

_ERASE_LINE = "\r\x1b[K"


class Captions:
    """Shows events on stdout; where that is no terminal, finished sentences alone."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._has_line = False  # an unfinished sentence stands there

    def show(self, event: live.Event) -> None:
        """Show one event."""
        match event:
            case live.Interim(stable=stable, text=text) if self._is_terminal:
                columns = shutil.get_terminal_size().columns
                shown = _tail(printable(text), columns - 1)
                stands = max(0, len(shown) - len(printable(text[len(stable) :])))
                self._write(_ERASE_LINE + shown[:stands] + click.style(shown[stands:], dim=True))
                self._has_line = True
            case live.Final(text=text, speaker=speaker):
                self.close()
                click.echo(printable(f"{speaker}：{text}" if speaker else text))

    def close(self) -> None:
        """Take the unfinished sentence away."""
        if self._has_line:
            self._write(_ERASE_LINE)
            self._has_line = False

    @staticmethod
    def _write(text: str) -> None:
        click.echo(text, nl=False, color=True)


def _tail(text: str, columns: int) -> str:
    """Return as much of the end of a text as fits into so many columns."""
    taken = 0
    for at in range(len(text) - 1, -1, -1):
        taken += 2 if unicodedata.east_asian_width(text[at]) in "WF" else 1
        if taken > columns:
            return text[at + 1 :]
    return text
