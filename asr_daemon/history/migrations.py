"""The shape of ``history.db``: numbered steps, append-only; a released step is never edited.

Times are UTC text (``2026-03-15T07:30:00.000Z``), paths are bytes as the file system has them.
"""

from __future__ import annotations

import hashlib
import json

from asr_daemon.history.database import Database, Migrations
from asr_daemon.history.folding import fold
from asr_daemon.history.notice_tables import NOTICES
from asr_daemon.history.search import index_body
from asr_daemon.history.tables import CORRECTIONS, PARTS, SPEAKERS

migrations = Migrations("asr_daemon")


@migrations(name="0001_recordings_jobs_segments")
def recordings_jobs_segments(db: Database) -> None:
    """Create the tables: profiles, jobs, recordings, segments, outputs, attempts, settings, full text."""
    for statement in _FIRST_TABLES:
        db.execute(statement)


_FIRST_TABLES = (
    """
    CREATE TABLE profiles (
        digest TEXT PRIMARY KEY,
        profile TEXT NOT NULL,          -- canonical JSON
        created_at TEXT NOT NULL
    ) STRICT
    """,
    # A piece of work: one content recognised under one profile.
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL,
        profile_digest TEXT NOT NULL REFERENCES profiles(digest),
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'quarantined')),
        priority INTEGER NOT NULL DEFAULT 0,   -- smaller goes first
        attempts INTEGER NOT NULL DEFAULT 0,   -- counted when claimed, so that a crash counts
        strikes INTEGER NOT NULL DEFAULT 0,    -- attempts that failed without bringing it on
        is_suspect INTEGER NOT NULL DEFAULT 0, -- 1: it was in work when something broke; it runs alone
        not_before TEXT,
        put_back_at TEXT,
        queued_at TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        segmented INTEGER NOT NULL DEFAULT 0,  -- 1: every stretch of speech is known
        duration_ms INTEGER,
        model_name TEXT,
        model_is_builtin INTEGER NOT NULL DEFAULT 0,
        flags TEXT NOT NULL DEFAULT '[]',
        timings_ms TEXT NOT NULL DEFAULT '{}',
        error_code TEXT,
        error_message TEXT,
        UNIQUE (sha256, profile_digest)
    ) STRICT
    """,
    "CREATE INDEX jobs_by_state ON jobs (state, priority, id)",
    # A file in an inbox (or named on the command line), one row per version of its content.
    """
    CREATE TABLE recordings (
        id INTEGER PRIMARY KEY,
        inbox TEXT NOT NULL,            -- '' for the command line
        path BLOB NOT NULL,
        name TEXT NOT NULL,             -- for people; invalid UTF-8 replaced
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        device INTEGER NOT NULL,
        job_id INTEGER REFERENCES jobs(id),  -- NULL: it could not be read, so its content is unknown
        state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'failed', 'gone', 'superseded')),
        problem TEXT,                   -- why its transcript is not written yet
        found_at TEXT NOT NULL,
        written_at TEXT,
        archived_at TEXT                -- it lies in the archive; another file may come to its path
    ) STRICT
    """,
    # One row stands for a path in the share, and one for the same path named on the command line.
    "CREATE UNIQUE INDEX recordings_by_path ON recordings (path, inbox = '') WHERE state <> 'superseded'",
    "CREATE INDEX recordings_by_job ON recordings (job_id)",
    "CREATE INDEX recordings_by_state ON recordings (state)",
    """
    CREATE TABLE segments (
        id INTEGER PRIMARY KEY,
        job_id INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        start_ms INTEGER NOT NULL,
        end_ms INTEGER NOT NULL,
        raw_text TEXT,                  -- NULL: found, not yet recognised
        text TEXT,
        tokens TEXT NOT NULL DEFAULT '[]',
        spans TEXT NOT NULL DEFAULT '[]',
        corrections TEXT NOT NULL DEFAULT '[]',
        hotwords_hit TEXT NOT NULL DEFAULT '[]',
        flags TEXT NOT NULL DEFAULT '[]',
        UNIQUE (job_id, number)
    ) STRICT
    """,
    # Chinese is indexed character by character (see search.py): phrases of any length are found.
    "CREATE VIRTUAL TABLE segments_fts USING fts5(body, tokenize = 'unicode61')",
    # Files that this program wrote, and for which recording: only these are ever overwritten.
    """
    CREATE TABLE outputs (
        path BLOB PRIMARY KEY,
        same_name BLOB NOT NULL,        -- equal for names that Windows or macOS take for one
        recording_id INTEGER NOT NULL REFERENCES recordings(id),
        format TEXT NOT NULL,           -- 'txt', 'srt', 'vtt', 'json' or 'failure'
        written_at TEXT                 -- NULL: about to be written
    ) STRICT
    """,
    "CREATE INDEX outputs_by_recording ON outputs (recording_id)",
    "CREATE INDEX outputs_by_same_name ON outputs (same_name)",
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        job_id INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        segments INTEGER NOT NULL,      -- recognised when it began
        started_at TEXT NOT NULL,
        ended_at TEXT,
        error_code TEXT,
        error_message TEXT,
        evidence TEXT
    ) STRICT
    """,
    "CREATE INDEX attempts_by_job ON attempts (job_id)",
    # What outlives a restart: 'paused', the device number of each inbox, the last backup's error.
    "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
)


@migrations(name="0002_jobs_by_finished")
def jobs_by_finished(db: Database) -> None:
    """Find ended work by its age: retention looks for it every day."""
    db.execute("CREATE INDEX jobs_by_finished ON jobs (finished_at)")


@migrations(name="0003_jobs_memory_rung")
def jobs_memory_rung(db: Database) -> None:
    """Remember how far up the ladder a recording is that memory did not suffice for (memory_ladder.py)."""
    db.execute("ALTER TABLE jobs ADD COLUMN memory_rung INTEGER NOT NULL DEFAULT 0")


@migrations(name="0004_outputs_sha256")
def outputs_sha256(db: Database) -> None:
    """Remember what was written: a transcript that differs now was edited by a person, and is theirs."""
    db.execute("ALTER TABLE outputs ADD COLUMN written_sha256 TEXT")
    db.execute("ALTER TABLE outputs ADD COLUMN planned_sha256 TEXT")


@migrations(name="0005_indexes_for_thousands_of_recordings")
def indexes_for_thousands_of_recordings(db: Database) -> None:
    """Ask who waits for a job, and what of an inbox is to be archived, without reading all the others."""
    db.execute("DROP INDEX recordings_by_job")
    db.execute("CREATE INDEX recordings_by_job ON recordings (job_id, state)")
    db.execute(
        "CREATE INDEX recordings_to_archive ON recordings (inbox)"
        " WHERE state = 'done' AND archived_at IS NULL"
    )


@migrations(name="0006_jobs_suspect")
def jobs_suspect(db: Database) -> None:
    """Ask for suspects that wait, several times a second, without reading all that is queued."""
    db.execute("CREATE INDEX jobs_suspect ON jobs (not_before) WHERE state = 'queued' AND is_suspect = 1")


@migrations(name="0007_withdrawn_and_cancelled")
def withdrawn_and_cancelled(db: Database) -> None:
    """Let work be withdrawn and recordings cancelled; what queued for nobody is withdrawn at last.

    Only the words of two CHECK constraints change, none of the rows' bytes: the way that SQLite's own
    documentation gives for that (lang_altertable.html, "making other kinds of table schema changes").
    """
    _allow_state(db, "jobs", before="'done', 'failed', 'quarantined')", word="withdrawn")
    _allow_state(db, "recordings", before="'failed', 'gone', 'superseded')", word="cancelled")
    db.execute(
        "UPDATE jobs SET state = 'withdrawn' WHERE state = 'queued' AND NOT EXISTS (SELECT 1 FROM recordings"
        " WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')"
    )


def _allow_state(db: Database, table: str, *, before: str, word: str) -> None:
    (version,) = db.execute("PRAGMA schema_version").fetchone()
    db.execute("PRAGMA writable_schema = ON")
    db.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ?",
        [before, f"{before[:-1]}, '{word}')", table],
    )
    db.execute(f"PRAGMA schema_version = {int(version) + 1}")
    db.execute("PRAGMA writable_schema = OFF")


@migrations(name="0008_what_recognised_it")
def what_recognised_it(db: Database) -> None:
    """Remember which recogniser holds a job, and what recognised an attempt and each of its segments."""
    db.execute("ALTER TABLE jobs ADD COLUMN claimed_by TEXT")
    db.execute("ALTER TABLE jobs ADD COLUMN device TEXT")
    db.execute("ALTER TABLE jobs ADD COLUMN precision TEXT")
    for column in (
        "recogniser TEXT",
        "model_name TEXT",
        "model_is_builtin INTEGER",
        "device TEXT",
        "precision TEXT",
    ):
        db.execute(f"ALTER TABLE attempts ADD COLUMN {column}")
    db.execute("ALTER TABLE segments ADD COLUMN attempt_id INTEGER")


@migrations(name="0009_search_folds")
def search_folds(db: Database) -> None:
    """Index texts in simplified characters and ordinary width (folding.py).

    Only segments that are written otherwise are indexed again: of a Mandarin archive hardly any. All are read
    once, in the order of their numbers; the caller's progress handler runs meanwhile.
    """
    for segment, text in db.execute("SELECT id, text FROM segments WHERE text IS NOT NULL ORDER BY id"):
        if fold(text) != text:
            body = index_body(text)
            db.execute("INSERT OR REPLACE INTO segments_fts (rowid, body) VALUES (?, ?)", [segment, body])


@migrations(name="0010_outputs_bytes")
def outputs_bytes(db: Database) -> None:
    """Remember how large a file was that was written: what has another size need not be read to be told."""
    db.execute("ALTER TABLE outputs ADD COLUMN written_bytes INTEGER")
    db.execute("ALTER TABLE outputs ADD COLUMN planned_bytes INTEGER")


@migrations(name="0011_hotword_lists")
def hotword_lists(db: Database) -> None:
    """Let profiles name their hotword list by its digest; only lists that are still needed stay."""
    db.execute(
        """
        CREATE TABLE hotword_lists (
            digest TEXT PRIMARY KEY,
            words TEXT NOT NULL,                  -- JSON
            replacements TEXT NOT NULL,           -- JSON
            for_good INTEGER NOT NULL DEFAULT 0   -- 1: of the command line
        ) STRICT
        """
    )
    db.execute("ALTER TABLE profiles ADD COLUMN list_digest TEXT")
    needed = dict(
        db.execute(
            "SELECT jobs.profile_digest, max(recordings.inbox = '') FROM jobs"
            " JOIN recordings ON recordings.job_id = jobs.id"
            " WHERE jobs.state IN ('queued', 'running') OR recordings.inbox = '' GROUP BY 1"
        ).fetchall()
    )
    for (digest,) in db.execute("SELECT digest FROM profiles").fetchall():
        ((text, created_at),) = db.execute(
            "SELECT profile, created_at FROM profiles WHERE digest = ?", [digest]
        ).fetchall()
        profile = json.loads(text)
        words, replacements = profile["hotwords"], profile["replacements"]
        if not (words or replacements):
            continue
        content = _compact([words, replacements])
        named = hashlib.sha256(content.encode()).hexdigest()
        profile.update(hotwords=[], replacements=[], list_sha256=named)
        short = json.dumps(profile, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        now = hashlib.sha256(short.encode()).hexdigest()
        db.execute("INSERT OR IGNORE INTO profiles VALUES (?, ?, ?, ?)", [now, short, created_at, named])
        db.execute("UPDATE jobs SET profile_digest = ? WHERE profile_digest = ?", [now, digest])
        db.execute("DELETE FROM profiles WHERE digest = ?", [digest])
        if digest in needed:
            db.execute(
                "INSERT OR REPLACE INTO hotword_lists VALUES (?, ?, ?, ?)",
                [named, _compact(words), _compact(replacements), needed[digest]],
            )


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@migrations(name="0012_accesses")
def accesses(db: Database) -> None:
    """Create the tables of those who may use the gateway, and of their browsers' log-ins."""
    db.execute(
        """
        CREATE TABLE accesses (
            name TEXT PRIMARY KEY,
            token_sha256 TEXT NOT NULL UNIQUE,
            inboxes TEXT NOT NULL,          -- JSON; "*" is every inbox
            rights TEXT NOT NULL,           -- JSON: "read", "upload", "edit", "operate"
            created_at TEXT NOT NULL,
            used_at TEXT
        ) STRICT
        """
    )
    db.execute(
        """
        CREATE TABLE log_ins (
            secret_sha256 TEXT PRIMARY KEY,
            access TEXT NOT NULL REFERENCES accesses(name) ON DELETE CASCADE,
            created_at TEXT NOT NULL,
            expires_at TEXT NOT NULL
        ) STRICT
        """
    )


@migrations(name="0013_speakers")
def speakers(db: Database) -> None:
    """Create the tables of voices, of who speaks when, and of the voices that inboxes know."""
    for statement in SPEAKERS:
        db.execute(statement)


@migrations(name="0014_corrections")
def corrections(db: Database) -> None:
    """Create the tables of what people corrected; a recording says how often, and when it was forgotten."""
    for statement in CORRECTIONS:
        db.execute(statement)


@migrations(name="0016_recordings_by_inbox")
def recordings_by_inbox(db: Database) -> None:
    """Count what an inbox has, and ask for that of a few, without reading the recordings of all."""
    db.execute("CREATE INDEX recordings_by_inbox ON recordings (inbox, state)")


@migrations(name="0017_sent_to")
def sent_to(db: Database) -> None:
    """Say of what a program sent to be transcribed whose it is: it lies in no inbox."""
    db.execute("ALTER TABLE recordings ADD COLUMN sent_to TEXT")  # an inbox; NULL where the file lies in one
    db.execute("CREATE INDEX recordings_sent_to ON recordings (sent_to, state)")


@migrations(name="0018_forgotten_by")
def forgotten_by(db: Database) -> None:
    """Say who forgot a recording's text; NULL: the command line, or a release that did not ask."""
    db.execute("ALTER TABLE recordings ADD COLUMN forgotten_by TEXT")


@migrations(name="0019_whose_turn")
def whose_turn(db: Database) -> None:
    """Remember what each inbox got of the recogniser, and for whose part a job is in work."""
    db.execute(
        """
        CREATE TABLE accounts (
            inbox TEXT PRIMARY KEY,
            used_ms REAL NOT NULL,   -- of sound, decaying (queue/fairness.py)
            used_at REAL NOT NULL,   -- seconds since 1970 (UTC)
            clock_ms REAL NOT NULL,
            rate REAL NOT NULL
        ) STRICT
        """
    )
    db.execute("ALTER TABLE jobs ADD COLUMN claimed_for TEXT")
    db.execute("ALTER TABLE jobs ADD COLUMN expected_ms INTEGER")
    db.execute("ALTER TABLE jobs ADD COLUMN charged_ms INTEGER NOT NULL DEFAULT 0")


@migrations(name="0020_notices")
def notices(db: Database) -> None:
    """Create the tables of messages that are to be sent, and of who wants to hear of what."""
    for statement in NOTICES:
        db.execute(statement)


@migrations(name="0021_parts")
def parts(db: Database) -> None:
    """Create the table of recordings that may be parts of one, where an inbox asks for that."""
    for statement in PARTS:
        db.execute(statement)
