"""``speakers``: whose voices an inbox knows, who speaks in a recording, and what they are called.

A running daemon is asked; with none running the commands do it themselves. Samples are recognised like any
recording, so that what is remembered of a voice comes from the same network.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.cli.one_off import one_off
from asr_daemon.clock import shown_length
from asr_daemon.config_sections import MOST_SPEAKERS
from asr_daemon.errors import OperatorError, UsageError
from asr_daemon.history.recordings import inbox_label
from asr_daemon.printable import json_text, printable
from asr_daemon.speakers.enrolment import check_name

if TYPE_CHECKING:
    from asr_daemon.cli.one_off import OneOff, Outcome
    from asr_daemon.control.socket import Answer

_as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
_inbox = click.option("--inbox", metavar="NAME", required=True, help="The inbox that knows the voice.")


@click.group()
def speakers() -> None:
    """Name speakers: by enrolled voices, or by hand in one recording."""


@speakers.command("list")
@click.argument("recording", metavar="[ID]", type=int, required=False)
@click.option("--inbox", metavar="NAME", help="Only whom that inbox knows.")
@_as_json
@with_config
def list_(context: Context, recording: int | None, inbox: str | None, as_json: bool) -> None:
    """List whom the inboxes know by voice, or who speaks in a recording, by its ID from `history`."""
    if recording is not None:
        answer = context.steer("speakers_of_recording", recording=recording)
        click.echo(json_text(answer["speakers"], indent=2) if as_json else _lines(answer))
        return
    answer = context.steer("speakers_enrolled", inbox=inbox)
    if as_json:
        click.echo(json_text(answer["voices"], indent=2))
        return
    for one in answer["voices"]:
        where = f"{inbox_label(one['inbox'])}: {one['name']}"
        click.echo(printable(f"{where}, from {one['source']}, since {one['since'][:10]}"))
    if not answer["voices"]:
        click.echo("Nobody is known; `asr-daemon speakers enrol --inbox N NAME FILE` begins.")


def _lines(answer: Answer) -> str:
    lines = []
    for one in answer["speakers"]:
        how = (
            ", an enrolled voice"
            if one["is_enrolled"]
            else ", named by hand"
            if one["is_named_by_hand"]
            else ""
        )
        length = shown_length(one["speech_ms"])
        lines.append(printable(f"{one['number']:>3}  {one['name']}  {length}{how}"))
    return "\n".join(lines)


@speakers.command()
@_inbox
@click.argument("name")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--recording", metavar="ID", type=int, help="Take the voice from a recording of that inbox.")
@click.option("--speaker", metavar="WHO", help="With --recording: the speaker's name or number there.")
@with_config
def enrol(
    context: Context,
    inbox: str,
    name: str,
    files: tuple[Path, ...],
    recording: int | None,
    speaker: str | None,
) -> int:
    """Remember NAME's voice in an inbox: from samples in which nobody else speaks, or from a recording."""
    if bool(files) == (recording is not None):
        raise UsageError("name sample FILEs, or a --recording with its --speaker")
    name = check_name(name)
    context.config_in_force().require_inbox(inbox)
    if recording is not None:
        context.steer("speakers_enrol", inbox=inbox, name=name, recording=recording, speaker=speaker)
        click.echo(printable(f"{name} is known in {inbox}."))
        return 0
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise UsageError(f"{printable(str(missing[0]))}: there is no such file（没有这个文件）")
    failures = 0
    with one_off(context, files) as way:
        for outcome in way.recognise(files, inbox=inbox, speakers=True):
            problem = _learn(way, outcome, inbox, name)
            if problem:
                click.echo(f"asr-daemon: {printable(problem)}", err=True)
                failures += 1
    return 1 if failures else 0


def _learn(way: OneOff, outcome: Outcome, inbox: str, name: str) -> str:
    """Remember the voice of a sample; return why not, or ""."""
    if outcome.filed is None:
        return f"{outcome.problem}（样本无法使用）"
    sample = outcome.filed.recording
    try:
        way.steer("speakers_enrol", inbox=inbox, name=name, recording=sample.id)
    except OperatorError as error:
        return str(error)
    click.echo(printable(f"{name} is known in {inbox}, from {sample.name}."))
    return ""


@speakers.command()
@_inbox
@click.argument("name")
@with_config
def forget(context: Context, inbox: str, name: str) -> None:
    """Forget NAME's voice in an inbox: all embeddings of it are deleted. Names already written stay."""
    answer = context.steer("speakers_forget", inbox=inbox, name=name)
    click.echo(printable(f"{name} is forgotten in {inbox} ({answer['count']} embeddings)."))
    for sample in answer["samples"]:
        click.echo(
            printable(f"Take {sample} out of the inbox's folder of voices, too, or it is learnt anew."),
            err=True,
        )


@speakers.command()
@click.argument("recording", metavar="ID", type=int)
@click.argument("speaker")
@click.argument("name")
@click.option("--remember", is_flag=True, help="And know the voice in that inbox from now on.")
@with_config
def rename(context: Context, recording: int, speaker: str, name: str, remember: bool) -> int:
    """Call SPEAKER (name or number) of a recording NAME, and write its transcripts anew; "" takes it back.

    Transcripts that a person edited stay as they are.
    """
    answer = context.steer(
        "speakers_rename", recording=recording, speaker=speaker, name=name, remember=remember
    )
    return _say_files(answer)


@speakers.command()
@click.argument("recording", metavar="ID", type=int)
@click.option(
    "--speakers",
    "count",
    type=click.IntRange(0, MOST_SPEAKERS),
    default=0,
    help="How many there are; 0: found out.",
)
@_as_json
@with_config
def regroup(context: Context, recording: int, count: int, as_json: bool) -> int:
    """Tell a recording's speakers apart anew, without recognising it again, and write its transcripts."""
    answer = context.steer("speakers_regroup", recording=recording, speakers=count)
    if as_json:
        click.echo(json_text(answer, indent=2))
        return 1 if answer["problems"] else 0
    click.echo(_lines(answer))
    return _say_files(answer)


def _say_files(answer: Answer) -> int:
    for name in answer["written"]:
        click.echo(printable(f"{name}: written anew"))
    for name in answer["edited"]:
        click.echo(printable(f"{name}: was edited by somebody, and stays"))
    for problem in answer["problems"]:
        click.echo(f"asr-daemon: {printable(problem)}", err=True)
    return 1 if answer["problems"] else 0


COMMANDS = (speakers,)
