"""Commands that only look: ``status``, ``history``, ``search``, ``show``."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

import click
from rich.live import Live

from asr_daemon.cli.context import Context, with_config
from asr_daemon.clock import Clock, from_stamp, to_stamp
from asr_daemon.config_sections import TEXT_FORMATS
from asr_daemon.control.status import collect
from asr_daemon.delivery.rendering import render
from asr_daemon.errors import OperatorError, UsageError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.corrections import UNDO, Step, steps_of
from asr_daemon.history.in_force import Stored, stored_of
from asr_daemon.history.reading import Which, attempts_of, each, newest, places
from asr_daemon.history.recordings import Recordings, inbox_label
from asr_daemon.history.search import MOST_TERMS, match_terms
from asr_daemon.history.segments import hotwords_of
from asr_daemon.history.states import JobState
from asr_daemon.install.running import service_of
from asr_daemon.printable import json_text, printable, valid_text
from asr_daemon.transcripts.writers.document import clock_time
from asr_daemon.views.console import console, echo_transcript
from asr_daemon.views.places import Places
from asr_daemon.views.recordings import FIELDS, as_cells, as_fields, history_table, listed_hits
from asr_daemon.views.spreadsheet import csv_chunks
from asr_daemon.views.status import status_view

STATES = (
    "waiting",
    "queued",
    "running",
    "done",
    "failed",
    "quarantined",
    "gone",
    "cancelled",
    "superseded",
)
REFRESH_S = 0.5
SHOWN = 50  # without --limit


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON (a stable schema, for scripts).")
@click.option("--watch", is_flag=True, help="Keep showing, with progress bars, until Ctrl-C.")
@with_config
def status(context: Context, as_json: bool, watch: bool) -> int:
    """Show inboxes, queue, the recordings in work, last errors and last backup.

    Ends with 1 where no daemon answers (stopped, failed, hung); what the history knows is shown all the same.
    """
    config = context.config_in_force()

    def found() -> dict[str, Any]:
        return collect(config, service=service_of(context.found_path))

    if watch:
        with Live(status_view(found()), console=console(), refresh_per_second=4) as live:
            while True:
                time.sleep(REFRESH_S)
                live.update(status_view(found()))
    told = found()
    if as_json:
        click.echo(json_text(told, indent=2))
    else:
        console().print(status_view(told))
    return 0 if told["running"] else 1


@click.command()
@click.option("--inbox", metavar="NAME", help="Only that inbox's recordings.")
@click.option("--state", type=click.Choice(STATES), help="Only recordings in that state.")
@click.option(
    "--since", metavar="WHEN", help="Only those found since: a date (2026-03-15), or 90m, 12h, 7d ago."
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    help=f"At most that many.  [default: {SHOWN}; all of them in CSV]",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Answer in CSV, for a spreadsheet; times are local.")
@click.option("--no-bom", is_flag=True, help="CSV without the byte order mark that Excel needs.")
@with_config
def history(
    context: Context,
    inbox: str | None,
    state: str | None,
    since: str | None,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    no_bom: bool,
) -> None:
    """List recordings, newest first."""
    config = context.config_in_force()
    past, lie = open_history_read_only(config.history_path), Places(config)
    which = Which(None if inbox is None else [inbox], state, _moment(since))
    if as_csv:
        rows = (as_cells(entry, lie) for entry in each(past, which, limit))
        out = sys.stdout.buffer
        for chunk in csv_chunks(FIELDS, rows, ("found_at", "written_at"), with_mark=not no_bom):
            out.write(chunk)
        return
    most = limit or SHOWN
    entries = newest(past, which, limit=most + 1)
    if as_json:
        found = [as_fields(entry, lie) for entry in entries[:most]]
        click.echo(json_text(found, indent=2))
    else:
        console().print(history_table(entries[:most], lie))
    if len(entries) > most:
        click.echo(f"the newest {most} are shown, there are more: --limit says how many", err=True)


@click.command()
@click.argument("text")
@click.option("--inbox", metavar="NAME", help="Only in that inbox's transcripts.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most that many places."
)
@click.option("--speaker", metavar="NAME", help="Only what that speaker says.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def search(
    context: Context, text: str, inbox: str | None, limit: int, speaker: str | None, as_json: bool
) -> int:
    """Find words in the transcripts, two-character Chinese words too. Ends with 1 when nothing is found.

    Words parted by blanks are all to be in one recording; the passages that hold them all are shown, or the
    best for each word. "In quotation marks" they follow one another.
    Traditional and simplified, full-width and ordinary characters, large and small letters are the same;
    numbers are found as they are written and as they are said.
    """
    terms = match_terms(text)
    if not terms:
        raise UsageError("search for at least one letter, digit or Chinese character")
    if len(terms) > MOST_TERMS:
        raise UsageError(f"search for at most {MOST_TERMS} words at once, these are {len(terms)}")
    config = context.config_in_force()
    past, lie = open_history_read_only(config.history_path), Places(config)
    inboxes = None if inbox is None else [inbox]
    found = places(past, terms, inboxes, limit=limit + 1, speaker=speaker)
    more, found = len(found) > limit, found[:limit]
    if as_json:
        listed = [
            {
                **asdict(place),
                "inbox": inbox_label(place.inbox),
                "path": valid_text(place.path),
                "shown": lie.shown(place.inbox, place.path),
            }
            for place in found
        ]
        click.echo(json_text(listed, indent=2))
    for place in () if as_json else found:
        at = clock_time(place.start_ms)  # as the transcript beside the recording has it
        shown = f"{inbox_label(place.inbox)}/{lie.shown(place.inbox, place.path)}"
        who = f"{place.speaker}：" if place.speaker else ""
        click.echo(f"{place.recording:>6}  {at}  {printable(f'{shown}: {who}{place.text}')}")
    if more:
        click.echo(f"the newest {limit} places are shown, there are more: --limit says how many", err=True)
    if not found:
        click.echo("nothing found", err=True)
    return 0 if found else 1


@click.command()
@click.argument("recording", metavar="ID", type=int)
@click.option("--format", "kind", type=click.Choice(TEXT_FORMATS), default="txt", help="What to print.")
@click.option("--corrections", is_flag=True, help="List every correction: when, who, before and after.")
@with_config
def show(context: Context, recording: int, kind: str, corrections: bool) -> int:
    """Print a recording's transcript as people corrected it, or what was tried and why it failed.

    On stderr: which hotwords were heard, who corrected it, and what of that found its words no more.
    """
    config = context.config_in_force()
    past, lie = open_history_read_only(config.history_path), Places(config)
    filed = Recordings(past, Clock()).get(recording)
    if filed is None:
        raise OperatorError(f"there is no recording {recording}; `asr-daemon history` lists them")
    work = filed.work
    if work is not None and work.state is JobState.DONE:
        echo_transcript(render(past, filed, kind))
        if digest := work.profile.hotwords_digest:
            hits = listed_hits(hotwords_of(past, work.id))
            hits = printable(hits or "none of it was said")
            click.echo(f"hotwords: list {digest[:12]}, {hits}", err=True)
        _say_corrections(steps_of(past, recording), stored_of(past, recording), every=corrections)
        return 0
    shown = lie.shown(filed.recording.inbox, filed.recording.path)
    click.echo(printable(f"{inbox_label(filed.recording.inbox)}/{shown}: {filed.state}"), err=True)
    click.echo(printable(filed.problem or "not transcribed yet"), err=True)
    for attempt in attempts_of(past, work.id) if work else ():
        click.echo(
            printable(f"attempt {attempt.number} at {attempt.started_at}: {attempt.error_message or '-'}"),
            err=True,
        )
        if attempt.evidence:
            evidence = printable(attempt.evidence.strip(), lines=True)
            click.echo("    " + evidence.replace("\n", "\n    "), err=True)
    return 1


def _say_corrections(steps: list[Step], stored: list[Stored], *, every: bool) -> None:
    """Say on stderr what people corrected."""
    by_people = [step for step in steps if step.who and not step.is_undone and step.kind != UNDO]
    if by_people:
        who = ", ".join(dict.fromkeys(step.who for step in by_people))
        last = f"{from_stamp(by_people[0].made_at).astimezone():%Y-%m-%d %H:%M}"
        click.echo(printable(f"corrected: {len(by_people)} times by {who}, last at {last}"), err=True)
    for kept in stored:
        if not kept.is_placed:
            at, text = clock_time(kept.block.stretches[0].start_ms), kept.block.stretches[0].text
            click.echo(printable(f"not placed: {at} {text} (over: {kept.block.said})"), err=True)
    for step in reversed(steps) if every else ():
        when = f"{from_stamp(step.made_at).astimezone():%Y-%m-%d %H:%M}"
        taken_back = " (undone)" if step.is_undone else ""
        told = f"{when}  {clock_time(step.start_ms)}  {step.kind}{taken_back} by {step.who or 'the daemon'}: "
        click.echo(printable(f"{told}{step.before} -> {step.after}"), err=True)


def _moment(since: str | None) -> str | None:
    """Return the stamp of "2026-03-15", "2026-03-15T14:00" or "7d"; raises UsageError."""
    if since is None:
        return None
    if ago := re.fullmatch(r"(\d+)([mhd])", since):
        unit = {"m": "minutes", "h": "hours", "d": "days"}[ago[2]]
        return to_stamp(datetime.now(timezone.utc) - timedelta(**{unit: int(ago[1])}))
    try:
        return to_stamp(datetime.fromisoformat(since))
    except ValueError:
        raise UsageError(f"--since {since}: give a date such as 2026-03-15, or 90m, 12h, 7d") from None


COMMANDS = (status, history, search, show)
