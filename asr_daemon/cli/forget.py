"""``forget``: a recording's text deleted for good."""

from __future__ import annotations

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.clock import from_stamp
from asr_daemon.printable import json_text, printable


@click.command()
@click.argument("recordings", metavar="ID...", type=int, nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def forget(context: Context, recordings: tuple[int, ...], yes: bool, as_json: bool) -> int:
    """Forget the text of recordings for good, by their ID from `history`; their sound stays where it is.

    Transcript, corrections, voices, what a search finds, and the files beside the recording that nobody
    edited are deleted; it is not transcribed again unless `retry ID` asks for it. Backups hold it until they
    are rotated out: the answer says when. Ends with 1 where files are left for later.
    """
    if not yes:
        which = ", ".join(map(str, recordings))
        click.confirm(f"Forget the text of {which} for good?", abort=True, err=True)
    told = context.steer("forget", recordings=list(recordings))["forgotten"]
    if as_json:
        click.echo(json_text(told))
    for each in () if as_json else told:
        _say(each)
    return 1 if any(each["problem"] for each in told) else 0


def _say(told: dict[str, object]) -> None:
    number, kept, until = told["recording"], told["kept"], told["backups_until"]
    click.echo(f"{number}: its text is forgotten.")
    if kept and isinstance(kept, list):
        click.echo(printable(f"{number}: edited by a person, and left: {', '.join(kept)}"))
    if told["problem"]:
        click.echo(printable(f"{number}: files are left for later: {told['problem']}"), err=True)
    if isinstance(until, str):
        click.echo(f"{number}: backups hold it until {from_stamp(until).astimezone():%Y-%m-%d}.")
    elif told["backups"]:
        click.echo(f"{number}: {told['backups']} backups hold it until they are removed.")


COMMANDS = (forget,)
