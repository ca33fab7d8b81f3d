"""The tables of messages: what is to be told to whom, and what became of it."""

from __future__ import annotations

NOTICES = (
    # The [[notify]] of the configuration, without addresses: who wants to hear of what.
    """
    CREATE TABLE notice_targets (
        name TEXT PRIMARY KEY,
        events TEXT NOT NULL,           -- JSON
        inboxes TEXT NOT NULL           -- JSON; []: all of them
    ) STRICT
    """,
    # One row for each message and receiver, written in the transaction that changed the state it tells of.
    """
    CREATE TABLE notices (
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL UNIQUE,       -- receivers know a repetition by it
        target TEXT NOT NULL,           -- the name of a [[notify]]
        event TEXT NOT NULL,
        subject TEXT NOT NULL,          -- what it is about: messages of one subject keep their order
        inbox TEXT NOT NULL,            -- '' where it is about none
        recording_id INTEGER,
        code TEXT NOT NULL,             -- the failure's class, or ''
        problem TEXT NOT NULL,
        problem_zh TEXT NOT NULL,       -- '': by the class
        state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up')),
        created_at TEXT NOT NULL,
        batch TEXT,                     -- what it is sent with, once that was tried; the same every time
        attempts INTEGER NOT NULL DEFAULT 0,
        first_tried_at TEXT,
        due_at TEXT,                    -- when it is tried again; NULL: now
        ended_at TEXT,
        said TEXT NOT NULL DEFAULT ''   -- by the receiver, the last time
    ) STRICT
    """,
    "CREATE INDEX notices_waiting ON notices (target, id) WHERE state = 'waiting'",
    "CREATE INDEX notices_by_subject ON notices (target, subject, id) WHERE state = 'waiting'",
    "CREATE INDEX notices_by_batch ON notices (batch)",
    "CREATE INDEX notices_ended ON notices (state, ended_at) WHERE state <> 'waiting'",
)
