"""Commands that only look: ``status``, ``history``, ``search``, ``show``."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import click
from rich.live import Live
from rich.table import Table

from asr_daemon.cli.console import console
from asr_daemon.cli.context import Context, with_config
from asr_daemon.cli.spreadsheet import csv_chunks
from asr_daemon.cli.status_view import status_view
from asr_daemon.clock import Clock, from_stamp, shown_length, to_stamp
from asr_daemon.config import TRANSCRIPT_FORMATS
from asr_daemon.control.status import collect
from asr_daemon.delivery.rendering import render
from asr_daemon.errors import OperatorError, UsageError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.reading import attempts_of
from asr_daemon.history.recordings import Recordings, inbox_label
from asr_daemon.history.search import match_query
from asr_daemon.history.segments import hotwords_of
from asr_daemon.history.states import JobState
from asr_daemon.transcripts.writers.document import clock_time

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Iterator

    from asr_daemon.history import History
    from asr_daemon.hotwords.hits import Hit

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
PAGE = 500  # recordings in memory at a time


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON (a stable schema, for scripts).")
@click.option("--watch", is_flag=True, help="Keep showing, with progress bars, until Ctrl-C.")
@with_config
def status(context: Context, as_json: bool, watch: bool) -> None:
    """Show inboxes, queue, the recordings in work, last errors and last backup."""
    config = context.config()
    if as_json:
        click.echo(json.dumps(collect(config), ensure_ascii=False, indent=2))
        return
    if not watch:
        console().print(status_view(collect(config)))
        return
    with Live(status_view(collect(config)), refresh_per_second=4) as live:
        while True:
            time.sleep(REFRESH_S)
            live.update(status_view(collect(config)))


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
    past = open_history_read_only(context.config().history_path)
    which = Which(inbox, state, _moment(since))
    if as_csv:
        rows = ({**entry, "hotwords": _listed(entry["hotwords"])} for entry in each_entry(past, which, limit))
        out = sys.stdout.buffer
        for chunk in csv_chunks(_FIELDS, rows, ("found_at", "written_at"), with_mark=not no_bom):
            out.write(chunk)
        return
    most = limit or SHOWN
    entries = entries_of(past, which, limit=most + 1)
    if as_json:
        click.echo(json.dumps(entries[:most], ensure_ascii=False, indent=2))
    else:
        console().print(history_table(entries[:most]))
    if len(entries) > most:
        click.echo(f"the newest {most} are shown, there are more: --limit says how many", err=True)


_FIELDS = (
    "id", "inbox", "name", "path", "state", "found_at", "written_at", "duration_s", "model", "attempts",
    "class", "problem", "sha256", "hotwords",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Which:
    """Which recordings are asked for."""

    inbox: str | None = None
    state: str | None = None
    since: str | None = None  # a stamp of the history


def entries_of(
    past: History, which: Which = Which(), *, limit: int = SHOWN, before: int | None = None
) -> list[dict[str, Any]]:
    """Return the recordings as scripts see them, newest first; ``before``: only of smaller numbers."""
    asked = {"inbox": which.inbox, "state": which.state, "since": which.since, "limit": limit}
    rows = (
        past.all("history", **asked) if before is None else past.all("history_before", before=before, **asked)
    )
    return [_entry(row, hotwords_of(past, row["job_id"])) for row in rows]


def each_entry(past: History, which: Which, limit: int | None) -> Iterator[dict[str, Any]]:
    """Yield all the recordings, or as many as the limit says, a page in memory at a time."""
    before, left = None, limit
    while left is None or left > 0:
        page = entries_of(past, which, limit=PAGE if left is None else min(PAGE, left), before=before)
        if not page:
            return
        yield from page
        before = page[-1]["id"]
        left = None if left is None else left - len(page)


def _entry(row: sqlite3.Row, hits: Counter[Hit]) -> dict[str, Any]:
    state = row["job_state"] if row["state"] in ("waiting", "failed") and row["job_state"] else row["state"]
    values = (
        row["id"],
        inbox_label(row["inbox"]),
        row["name"],
        os.fsencode(os.fsdecode(row["path"])).decode("utf-8", "replace"),
        "waiting to be written" if row["state"] == "waiting" and state == "done" else state,
        row["found_at"],
        row["written_at"],
        None if row["duration_ms"] is None else row["duration_ms"] / 1000,
        row["model_name"],
        row["attempts"],
        row["error_code"],
        row["error_message"] or row["problem"],
        row["sha256"],
        _counted(hits),
    )
    return dict(zip(_FIELDS, values, strict=True))


def history_table(entries: list[dict[str, Any]]) -> Table:
    """Return the entries as a table for people."""
    table = Table(box=None, pad_edge=False)
    for column in ("ID", "found", "inbox", "recording", "length", "hotwords", "state", "problem"):
        is_figure = column in ("ID", "length", "hotwords")
        table.add_column(column, justify="right" if is_figure else "left", overflow="fold")
    for entry in entries:
        length = "" if entry["duration_s"] is None else shown_length(round(entry["duration_s"] * 1000))
        table.add_row(
            str(entry["id"]),
            f"{from_stamp(entry['found_at']).astimezone():%m-%d %H:%M:%S}",
            entry["inbox"],
            entry["name"],
            length,
            str(sum(hit["count"] for hit in entry["hotwords"]) or ""),
            entry["state"],
            entry["problem"] or "",
        )
    return table


@click.command()
@click.argument("text")
@click.option("--inbox", metavar="NAME", help="Only in that inbox's transcripts.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most that many places."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def search(context: Context, text: str, inbox: str | None, limit: int, as_json: bool) -> int:
    """Find words in the transcripts, two-character Chinese words too. Ends with 1 when nothing is found.

    Words parted by blanks are all to be in one passage; "in quotation marks" they follow one another.
    Traditional and simplified, full-width and ordinary characters, large and small letters are the same;
    numbers are found as they are written and as they are said.
    """
    phrase = match_query(text)
    if not phrase:
        raise UsageError("search for at least one letter, digit or Chinese character")
    past = open_history_read_only(context.config().history_path)
    rows = past.all("search", phrase=phrase, inbox=inbox, limit=limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    if as_json:
        places = [{**dict(row), "inbox": inbox_label(row["inbox"])} for row in rows]
        click.echo(json.dumps(places, ensure_ascii=False, indent=2))
    for row in () if as_json else rows:
        at = clock_time(row["start_ms"])  # as the transcript beside the recording has it
        click.echo(f"{row['recording']:>6}  {at}  {inbox_label(row['inbox'])}/{row['name']}: {row['text']}")
    if more:
        click.echo(f"the newest {limit} places are shown, there are more: --limit says how many", err=True)
    if not rows:
        click.echo("nothing found", err=True)
    return 0 if rows else 1


@click.command()
@click.argument("recording", metavar="ID", type=int)
@click.option("--format", "kind", type=click.Choice(TRANSCRIPT_FORMATS), default="txt", help="What to print.")
@with_config
def show(context: Context, recording: int, kind: str) -> int:
    """Print a recording's transcript, or what was tried and why it failed."""
    past = open_history_read_only(context.config().history_path)
    filed = Recordings(past, Clock()).get(recording)
    if filed is None:
        raise OperatorError(f"there is no recording {recording}; `asr-daemon history` lists them")
    work = filed.work
    if work is not None and work.state is JobState.DONE:
        click.echo(render(past, filed, kind), nl=False)
        if digest := work.profile.hotwords_digest:
            hits = _listed(_counted(hotwords_of(past, work.id)))
            click.echo(f"hotwords: list {digest[:12]}, {hits or 'none of it was said'}", err=True)
        return 0
    click.echo(f"{inbox_label(filed.recording.inbox)}/{filed.recording.name}: {filed.state}", err=True)
    click.echo(filed.problem or "not transcribed yet", err=True)
    for attempt in attempts_of(past, work.id) if work else ():
        click.echo(
            f"attempt {attempt.number} at {attempt.started_at}: {attempt.error_message or '-'}", err=True
        )
        if attempt.evidence:
            click.echo("    " + attempt.evidence.strip().replace("\n", "\n    "), err=True)
    return 1


def _counted(hits: Counter[Hit]) -> list[dict[str, Any]]:
    return [{"word": hit.word, "by": hit.by, "count": count} for hit, count in hits.items()]


def _listed(hits: list[dict[str, Any]]) -> str:
    """Return which hotwords a transcript holds, how often, and who put them there."""
    return ", ".join(f"{hit['word']} {hit['count']}x by {hit['by']}" for hit in hits)


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
