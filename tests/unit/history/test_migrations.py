"""A history of an older release: mended, with every row and index kept."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlite_utils import Database
from way import PROFILE, START, Way

from asr_daemon.clock import to_stamp
from asr_daemon.history import open_history
from asr_daemon.history.hotword_lists import HotwordLists
from asr_daemon.history.migrations import migrations
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = to_stamp(START)
RECORDINGS = """
INSERT INTO recordings (id, inbox, path, name, size_bytes, mtime_ns, inode, device, job_id, state, found_at)
VALUES (?, 'inbox', ?, ?, 1, 2, 3, 4, ?, ?, ?)
"""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Return a history as the release before left it: work that somebody waits for, and two zombies."""
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "history.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        migrations.apply(Database(connection), stop_before="0007_withdrawn_and_cancelled")
        connection.execute("INSERT INTO profiles VALUES (?, ?, ?)", [PROFILE.digest, PROFILE.to_json(), NOW])
        for job, state in enumerate(("queued", "queued", "queued", "done", "running"), 1):
            connection.execute(
                "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at) VALUES (?, ?, ?, ?, ?)",
                [job, f"{job:064x}", PROFILE.digest, state, NOW],
            )
        waiting = ((1, "waiting"), (2, "gone"), (4, "done"), (5, "gone"), (1, "superseded"))
        for number, (job, state) in enumerate(waiting, 1):  # nobody at all belongs to the third job
            name = f"{number}.wav"
            connection.execute(RECORDINGS, [number, f"/{name}".encode(), name, job, state, NOW])
        connection.execute(
            "INSERT INTO segments (job_id, number, start_ms, end_ms, raw_text, text)"
            " VALUES (4, 0, 0, 1, '你好', '你好')"
        )
        connection.execute("INSERT INTO segments_fts (rowid, body) VALUES (1, '你 好')")
        connection.execute(
            "INSERT INTO attempts (job_id, number, segments, started_at) VALUES (4, 1, 0, 'x')"
        )
        connection.execute("INSERT INTO outputs VALUES (x'00', x'00', 3, 'txt', 'x', 'a', 'b')")
        connection.execute("INSERT INTO settings VALUES ('paused', '1')")
        connection.commit()
    return path


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of every table as the older release had its columns, and the names of the indexes."""
    columns = {
        "profiles": "digest, profile, created_at",
        "jobs": "id, sha256, profile_digest, priority, attempts, queued_at, flags, timings_ms",
        "recordings": "id, inbox, path, name, size_bytes, mtime_ns, inode, device, job_id, state, problem,"
        " found_at, written_at, archived_at",
        "segments": "id, job_id, number, start_ms, end_ms, raw_text, text",
        "segments_fts": "rowid, body",
        "attempts": "id, job_id, number, segments, started_at",
        "outputs": "path, same_name, recording_id, format, written_at, written_sha256, planned_sha256",
        "settings": "*",
    }
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = {
            table: connection.execute(f"SELECT {names} FROM {table} ORDER BY 1").fetchall()  # noqa: S608
            for table, names in columns.items()
        }
        rows["indexes"] = connection.execute(
            "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index'"
            " AND tbl_name <> 'parts'"
            " AND tbl_name NOT IN ('hotword_lists', 'accesses', 'log_ins', 'voices', 'turns', 'speakers',"
            " 'speaker_names', 'named_inboxes', 'enrolments', 'corrected', 'passages', 'corrections',"
            " 'accounts', 'notices', 'notice_targets')"
            " AND name NOT IN ('recordings_to_rewrite', 'recordings_corrected', 'recordings_forgotten',"
            " 'recordings_by_inbox', 'recordings_sent_to', 'jobs_speakers_due')"
            " ORDER BY name"  # younger than this
        ).fetchall()
    return rows


@pytest.fixture
def mended(older: Path) -> Iterator[sqlite3.Connection]:
    """Return the same history, opened by this release and closed again, for looking."""
    open_history(older).close()
    with contextlib.closing(sqlite3.connect(older, isolation_level=None)) as connection:
        yield connection


def test_zombies_are_withdrawn_and_everybody_else_stays(mended: sqlite3.Connection) -> None:
    """What queued for nobody is queued no more; what is waited for, done or in work is as it was."""
    assert dict(mended.execute("SELECT id, state FROM jobs")) == {
        1: "queued",
        2: "withdrawn",
        3: "withdrawn",
        4: "done",
        5: "running",
    }


def test_every_row_and_index_is_kept(older: Path) -> None:
    """Only the words of two constraints change."""
    before = content(older)
    open_history(older).close()
    after = content(older)
    assert after == before
    assert len(before["indexes"]) > 10


def test_the_file_is_sound_afterwards(mended: sqlite3.Connection) -> None:
    """SQLite reads the changed tables as it reads any."""
    assert mended.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert mended.execute("PRAGMA foreign_key_check").fetchall() == []


def test_tables_take_the_new_words_and_still_refuse_others(mended: sqlite3.Connection) -> None:
    """`withdrawn` for work and `cancelled` for files; what no release knows is refused as before."""
    mended.execute("UPDATE jobs SET state = 'withdrawn' WHERE id = 1")
    mended.execute("UPDATE recordings SET state = 'cancelled' WHERE id = 1")
    for table, word in (("jobs", "cancelled"), ("recordings", "withdrawn"), ("jobs", "lost")):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            mended.execute(f"UPDATE {table} SET state = ? WHERE id = 1", [word])  # noqa: S608
    for table in ("jobs", "recordings"):
        states = {row[0] for row in mended.execute(f"SELECT state FROM {table}")}  # noqa: S608
        for state in states:
            mended.execute(f"UPDATE {table} SET state = ? WHERE state = ?", [state, state])  # noqa: S608


def test_shape_is_that_of_a_new_history(older: Path, tmp_path: Path) -> None:
    """Whichever way a history came about, its tables are the same."""

    def shape(path: Path) -> dict[str, str]:
        open_history(path).close()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))

    assert shape(older) == shape(tmp_path / "new.db")


def test_what_was_in_work_and_is_gone_ends_at_the_next_start(older: Path, tmp_path: Path) -> None:
    """A killed daemon of the older release left it running, its file was deleted: it is withdrawn, too."""
    way = Way(tmp_path)  # opens it
    assert way.config.history_path == older
    assert way.jobs.recover() == [5]
    assert way.job(5)["state"] == "withdrawn"
    assert way.jobs.count_queued() == 1
    way.history.close()


def test_hotword_lists_leave_the_profiles(tmp_path: Path) -> None:
    """Each is named by its digest; only those of work that is not over, or of the command line, stay."""
    path = tmp_path / "history.db"
    lists = {"done": ["甲词"], "queued": ["乙词"], "named": ["丙词"], "none": []}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        migrations.apply(Database(connection), stop_before="0011_hotword_lists")
        for job, (name, words) in enumerate(lists.items(), 1):
            old = {**json.loads(PROFILE.to_json()), "language": name, "hotwords": words}
            connection.execute("INSERT INTO profiles VALUES (?, ?, ?)", [name, json.dumps(old), NOW])
            state = "queued" if name == "queued" else "done"
            connection.execute(
                "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at) VALUES (?, ?, ?, ?, ?)",
                [job, f"{job:064x}", name, state, NOW],
            )
            waits = "waiting" if state == "queued" else "done"
            connection.execute(RECORDINGS, [job, f"/{job}".encode(), name, job, waits, NOW])
        connection.execute("UPDATE recordings SET inbox = '' WHERE id = 3")
        connection.commit()
    history = open_history(path)
    jobs = {job: history.one("get_job", job=job) for job in (1, 2, 3, 4)}
    profiles = {job: Profile.from_json(row["profile"]) for job, row in jobs.items() if row is not None}
    filled = [HotwordLists(history).fill(profile).hotwords for profile in profiles.values()]
    assert filled == [(), ("乙词",), ("丙词",), ()]
    for job, name in enumerate(lists, 1):
        whole = replace(PROFILE, language=name, hotwords=tuple(lists[name]))
        assert profiles[job].hotwords_digest == whole.hotwords_digest
        row = jobs[job]
        assert row is not None
        assert row["profile_digest"] == (whole.digest if lists[name] else name)
    (size,) = history.db.execute("SELECT count(*) FROM profiles").fetchone()
    assert size == 4
    history.close()
