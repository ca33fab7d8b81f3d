"""Recordings of the history: as a table for people, as fields for scripts, as cells for spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from asr_daemon.clock import from_stamp, shown_length
from asr_daemon.history.recordings import inbox_label
from asr_daemon.history.states import RecordingState
from asr_daemon.printable import printable, valid_text

if TYPE_CHECKING:
    from collections import Counter

    from asr_daemon.history.reading import Entry
    from asr_daemon.hotwords.hits import Hit
    from asr_daemon.views.places import Places

GONE = RecordingState.GONE
FIELDS = (
    "id", "inbox", "name", "path", "state", "found_at", "written_at", "duration_s", "model", "attempts",
    "class", "problem", "sha256", "hotwords", "shown", "file_gone", "archived",
)  # fmt: skip


def as_fields(entry: Entry, places: Places) -> dict[str, Any]:
    """Return a recording as `history --json` has it; keys are only ever added."""
    hits = [{"word": hit.word, "by": hit.by, "count": count} for hit, count in entry.hotwords.items()]
    values = (
        entry.id,
        inbox_label(entry.inbox),
        entry.name,
        valid_text(entry.path),
        entry.state,
        entry.found_at,
        entry.written_at,
        None if entry.duration_ms is None else entry.duration_ms / 1000,
        entry.model,
        entry.attempts,
        entry.error_code,
        entry.problem,
        entry.sha256,
        hits,
        places.shown(entry.inbox, entry.path),
        places.is_gone(entry),
        entry.is_archived,
    )
    return dict(zip(FIELDS, values, strict=True))


def as_cells(entry: Entry, places: Places) -> dict[str, Any]:
    """Return a recording as a spreadsheet has it."""
    return {**as_fields(entry, places), "hotwords": listed_hits(entry.hotwords)}


def listed_hits(hits: Counter[Hit]) -> str:
    """Return which hotwords a transcript holds, how often, and who put them there."""
    return ", ".join(f"{hit.word} {count}x by {hit.by}" for hit, count in hits.items())


def history_table(entries: list[Entry], places: Places) -> Table:
    """Return the entries as a table for people."""
    table = Table(box=None, pad_edge=False)
    for column in ("ID", "found", "inbox", "recording", "length", "hotwords", "state", "problem"):
        is_figure = column in ("ID", "length", "hotwords")
        table.add_column(column, justify="right" if is_figure else "left", overflow="fold")
    for entry in entries:
        length = "" if entry.duration_ms is None else shown_length(entry.duration_ms)
        state = (
            entry.state if entry.state == GONE or not places.is_gone(entry) else f"{entry.state}, file gone"
        )
        row = (
            str(entry.id),
            f"{from_stamp(entry.found_at).astimezone():%m-%d %H:%M:%S}",
            inbox_label(entry.inbox),
            places.shown(entry.inbox, entry.path),
            length,
            str(entry.hotwords.total() or ""),
            state,
            entry.problem or "",
        )
        table.add_row(*map(printable, row))
    return table
