"""``itn``: the normaliser alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@click.command()
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("--explain", "explained", is_flag=True, help="Show each converted span, its type and the rule.")
@with_config
def itn(context: Context, texts: tuple[str, ...], explained: bool) -> None:
    """Turn spoken numbers into written ones; without TEXT, line by line from standard input (UTF-8).

    asr-daemon itn 二零二五年三月十五号 prints 2025年3月15日.
    """
    from asr_daemon.itn import Normaliser  # noqa: PLC0415
    from asr_daemon.itn.explain import explain  # noqa: PLC0415

    for text in texts:
        if not _is_utf8(text):
            raise OperatorError("TEXT is not UTF-8: set the terminal to UTF-8, or convert it first")
    normaliser = Normaliser(context.config_as_caller().itn.protect)
    for line in texts or _lines_of(sys.stdin.buffer):
        normalised = normaliser.normalise(line)
        click.echo(normalised.text)
        if explained and normalised.spans:
            click.echo(explain(normalised))


def _is_utf8(argument: str) -> bool:
    """Whether the bytes of an argument were text."""
    return not any("\ud800" <= char <= "\udfff" for char in argument)


def _lines_of(stream: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of standard input; whatever the locale says, they are UTF-8.

    Raises :class:`OperatorError` at the first line that is not: written on as they came, its bytes would pass
    for normalised text.
    """
    for number, line in enumerate(stream, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise OperatorError(
                f"line {number} of the input is not UTF-8; convert it first, as in "
                "`iconv -f GB18030 -t UTF-8 FILE | asr-daemon itn`"
            ) from None
        yield text.rstrip("\r\n")


COMMANDS = (itn,)
