"""``itn``: the normaliser alone."""

from __future__ import annotations

import sys

import click

from asr_daemon.cli.context import Context, with_config


@click.command()
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("--explain", "explained", is_flag=True, help="Show each converted span, its type and the rule.")
@with_config
def itn(context: Context, texts: tuple[str, ...], explained: bool) -> None:
    """Turn spoken numbers into written ones; without TEXT, line by line from standard input.

    asr-daemon itn 二零二五年三月十五号 prints 2025年3月15日.
    """
    from asr_daemon.itn import Normaliser  # noqa: PLC0415
    from asr_daemon.itn.explain import explain  # noqa: PLC0415

    normaliser = Normaliser(context.config().itn.protect)
    for line in texts or (line.rstrip("\n") for line in sys.stdin):
        normalised = normaliser.normalise(line)
        click.echo(normalised.text)
        if explained and normalised.spans:
            click.echo(explain(normalised))


COMMANDS = (itn,)
