"""The history as CSV, for spreadsheets; scripts take JSON.

UTF-8 with a byte order mark: Excel takes a file without one for the system's code page, and shows a Chinese
department its own names as rubbish. Who reads it with a program can leave the mark out.

Names of recordings and what is said about them come from whoever can write into a share. A cell that a
spreadsheet would calculate (``=``, ``+``, ``-``, ``@``, full-width ones and those behind blanks or tabs, too)
has an apostrophe before it, as OWASP advises ("CSV Injection").
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from asr_daemon.clock import from_stamp
from asr_daemon.printable import harmless_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BYTE_ORDER_MARK = "\ufeff"


def csv_chunks(
    fields: Sequence[str], rows: Iterable[dict[str, Any]], times: Iterable[str], *, with_mark: bool
) -> Iterator[bytes]:
    """Yield the file in pieces, a row each; ``times`` are the fields that hold stamps of the history."""
    are_times = frozenset(times)
    page = io.StringIO()
    writer = csv.writer(page)
    writer.writerow(fields)
    head = BYTE_ORDER_MARK if with_mark else ""
    for row in rows:
        yield (head + page.getvalue()).encode("utf-8", "replace")
        head = ""
        page.seek(0)
        page.truncate()
        writer.writerow(
            local_time(row[name]) if name in are_times else harmless_cell(row[name]) for name in fields
        )
    yield (head + page.getvalue()).encode("utf-8", "replace")


def local_time(stamp: str | None) -> str:
    """Return a stamp as the clock on the wall had it, with its offset: ``2026-03-15 15:30:00+08:00``."""
    return from_stamp(stamp).astimezone().isoformat(" ", "seconds") if stamp else ""
