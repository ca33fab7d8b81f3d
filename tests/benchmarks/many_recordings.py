"""A history of very many recordings, made directly in SQL: what lists, searches and pages are measured on.

Texts are words drawn from jieba's dictionary by how common they are, so that common and rare words, and the
characters that they share, are as frequent as in speech. Segments have the times of their words in every
``TOKENS_EVERY``-th recording only: those of others are never read by a page, and would only fill the disk.
"""

from __future__ import annotations

import itertools
import json
import random
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from asr_daemon.clock import to_stamp
from asr_daemon.history import open_history
from asr_daemon.history.search import index_body
from asr_daemon.language.dictionary import dictionary_path
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INBOXES = ("财务", "人事", "客服", "教务", "法务", "研发", "市场", "档案")
SHARES = (20, 10, 40, 10, 5, 10, 4.5, 0.5)  # per cent of the recordings
TOKENS_EVERY = 50
WORDS_IN_SEGMENT = 12
BEGAN = datetime(2025, 11, 1, tzinfo=timezone.utc)
BATCH = 500  # recordings in a transaction


def dictionary() -> tuple[list[str], list[int]]:
    """Return words and how common each is, cumulated."""
    path = dictionary_path()
    assert path is not None, "pip install jieba"
    rows = [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]
    return [row[0] for row in rows], list(itertools.accumulate(int(row[1]) for row in rows))


def texts(chance: random.Random) -> Iterator[str]:
    """Yield segments of about 20 characters, without end."""
    words, common = dictionary()
    while True:
        drawn = chance.choices(words, cum_weights=common, k=WORDS_IN_SEGMENT * 1000)
        for first in range(0, len(drawn), WORDS_IN_SEGMENT):
            yield "".join(drawn[first : first + WORDS_IN_SEGMENT]) + "。"


def make_history(path: Path, recordings: int, segments_each: int) -> None:
    """Write it, as the daemon's own statements would have: one job and one file a recording."""
    chance = random.Random(19)
    said = texts(chance)
    history = open_history(path)
    connection = history.db.conn
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        "INSERT OR IGNORE INTO profiles (digest, profile, created_at) VALUES ('p', ?, '')",
        [Profile("paraformer-zh@1").to_json()],
    )
    segment = 0
    for first in range(1, recordings + 1, BATCH):
        jobs, files, spoken, bodies = [], [], [], []
        for number in range(first, min(first + BATCH, recordings + 1)):
            at = to_stamp(BEGAN + timedelta(minutes=5 * number))
            (inbox,) = chance.choices(INBOXES, SHARES)
            state = "failed" if number % 997 == 0 else "done"
            jobs.append((number, f"{number:064x}", state, at, at, segments_each * 6000))
            name = f"会议录音-{number:06d}.m4a"
            files.append((number, inbox, f"/srv/{inbox}/{name}".encode(), name, number, state, at, at))
            for place in range(segments_each):
                segment += 1
                text = next(said)
                start_ms = place * 6000
                tokens = "[]"
                if number % TOKENS_EVERY == 0:
                    step = 5500 // len(text)
                    tokens = json.dumps(
                        [
                            {
                                "text": char,
                                "start_ms": start_ms + step * each,
                                "end_ms": start_ms + step * (each + 1),
                            }
                            for each, char in enumerate(text[:-1])
                        ],
                        ensure_ascii=False,
                    )
                spoken.append((segment, number, place, start_ms, start_ms + 5500, text[:-1], text, tokens))
                bodies.append((segment, index_body(text)))
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at, started_at, finished_at,"
            " duration_ms, segmented, model_name)"
            " VALUES (?1, ?2, 'p', ?3, ?4, ?4, ?5, ?6, 1, 'paraformer-zh')",
            jobs,
        )
        connection.executemany(
            "INSERT INTO recordings (id, inbox, path, name, size_bytes, mtime_ns, inode, device, job_id,"
            " state, found_at, written_at) VALUES (?1, ?2, ?3, ?4, 1, 1, ?1, 1, ?5, ?6, ?7, ?8)",
            files,
        )
        connection.executemany(
            "INSERT INTO segments (id, job_id, number, start_ms, end_ms, raw_text, text, tokens)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            spoken,
        )
        connection.executemany("INSERT INTO segments_fts (rowid, body) VALUES (?, ?)", bodies)
        connection.execute("COMMIT")
    history.close()
