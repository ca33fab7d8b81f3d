"""What the history forgets with time, and giving the space back. By default: nothing.

Enters: the history, the limits of the configuration. Leaves: a smaller history. Transcripts, recordings and
the text of every segment are never forgotten; times of single words and the evidence of failed attempts are,
where the configuration says so. Fails as the history does; what was not done is done the next time.
"""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from asr_daemon.clock import to_stamp
from asr_daemon.history.voices import Voices

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from asr_daemon.config_sections import RetentionSection
    from asr_daemon.history import History

log = structlog.get_logger()

WORTH_IT_BYTES = 16 * 1024 * 1024


def expire(
    history: History,
    limits: RetentionSection,
    *,
    since: str,
    now: datetime,
    is_stopping: Callable[[], bool] = lambda: False,
) -> str:
    """Forget what is older than its limit; return the stamp up to which times of words are forgotten.

    ``since`` is the stamp that the last time returned ("": the first time). One transaction a recording keeps
    nobody waiting long.
    """
    if limits.evidence_days:
        with history.transaction():
            dropped = history.run("drop_evidence", before=_days_before(now, limits.evidence_days)).rowcount
        if dropped:
            log.info("evidence_expired", attempts=dropped)
    if limits.voices_days:
        _forget_voices(history, _days_before(now, limits.voices_days), is_stopping)
    if not limits.tokens_days:
        return since
    before = _days_before(now, limits.tokens_days)
    jobs = history.all("expirable_tokens", since=since, before=before)
    for row in jobs:
        if is_stopping():
            return since
        with history.transaction():
            history.run("drop_tokens", job=row["id"])
    if jobs:
        log.info("word_times_expired", jobs=len(jobs))
    return before


def _forget_voices(history: History, before: str, is_stopping: Callable[[], bool]) -> None:
    """Forget the embeddings of work that ended before; who spoke when, and enrolled voices, stay."""
    jobs = [row["id"] for row in history.all("expirable_voices", before=before)]
    for job in jobs:
        if is_stopping():
            return
        Voices(history).forget(job)
    if jobs:
        log.info("voices_expired", jobs=len(jobs))


def compact(
    history: History,
    path: Path,
    percent: int,
    *,
    on_progress: Callable[[], bool],
    worth_it_bytes: int = WORTH_IT_BYTES,
) -> int:
    """Make the history smaller where that much of it is unused and nothing is in work; return bytes freed.

    ``on_progress`` is called while everybody waits; it says whether to give up.
    """
    size_bytes, unused_bytes = sizes_bytes(history)
    if not percent or unused_bytes < worth_it_bytes or unused_bytes * 100 < size_bytes * percent:
        return 0
    if any(row["jobs"] for row in history.all("queue_counts") if row["state"] in ("queued", "running")):
        return 0
    if shutil.disk_usage(path.parent).free < 2 * size_bytes:  # the copy, and the log of its way back
        log.warning(
            "history_not_compacted", problem="too little room on the disk", needed_bytes=2 * size_bytes
        )
        return 0
    try:
        history.compact(on_progress)
    except sqlite3.OperationalError as error:
        if "interrupt" not in str(error):
            raise
        return 0
    freed_bytes = size_bytes - sizes_bytes(history)[0]
    log.info("history_compacted", freed_bytes=freed_bytes, size_bytes=size_bytes - freed_bytes)
    return freed_bytes


def sizes_bytes(history: History) -> tuple[int, int]:
    """Return the size of the history and how much of it is unused."""
    pages, unused, page_bytes = (_figure(history, name) for name in ("page_count", "free_pages", "page_size"))
    return pages * page_bytes, unused * page_bytes


def _figure(history: History, query: str) -> int:
    row = history.one(query)
    assert row is not None  # noqa: S101 (a pragma always answers)
    return int(row[0])


def _days_before(now: datetime, days: int) -> str:
    return to_stamp(now - timedelta(days=days))
