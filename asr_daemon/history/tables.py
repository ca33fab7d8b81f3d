"""Statements of migrations that create many tables, each migration's in one tuple, in order."""

SPEAKERS = (
    # NULL: nobody asked; 'due', then 'done', or 'failed': it was written without.
    "ALTER TABLE jobs ADD COLUMN speakers TEXT",
    "ALTER TABLE jobs ADD COLUMN speakers_wanted INTEGER",  # by a person, once; NULL: what the profile says
    "CREATE INDEX jobs_speakers_due ON jobs (id) WHERE speakers = 'due'",
    # Biometric: windows of speech with their embeddings (speakers/window.py), committed with their segment.
    """
    CREATE TABLE voices (
        job_id INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        number INTEGER NOT NULL,        -- the segment's
        model TEXT NOT NULL,            -- whose embeddings these are; another model's are not compared
        windows BLOB NOT NULL,
        PRIMARY KEY (job_id, number)
    ) STRICT
    """,
    """
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY,
        job_id INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        start_ms INTEGER NOT NULL,
        end_ms INTEGER NOT NULL,
        speaker INTEGER NOT NULL,
        is_overlapped INTEGER NOT NULL  -- 1: another speaks as well, less loud
    ) STRICT
    """,
    "CREATE INDEX turns_by_job ON turns (job_id, start_ms)",
    """
    CREATE TABLE speakers (
        job_id INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        speaker INTEGER NOT NULL,       -- as in turns
        number INTEGER NOT NULL,        -- 1, 2, 3 ... in order of first word
        speech_ms INTEGER NOT NULL,     -- of the words attributed to them
        voice_ms INTEGER NOT NULL,      -- that the voice was heard
        model TEXT NOT NULL,
        voice BLOB,                     -- the mean embedding; NULL: forgotten
        PRIMARY KEY (job_id, speaker)
    ) STRICT
    """,
    # A content may lie in several inboxes, and each knows its own people.
    """
    CREATE TABLE speaker_names (
        job_id INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        inbox TEXT NOT NULL,
        speaker INTEGER NOT NULL,
        name TEXT NOT NULL,
        is_by_hand INTEGER NOT NULL,    -- 1: a person said so; 0: an enrolled voice
        model TEXT NOT NULL DEFAULT '',
        voice BLOB,                     -- by hand: as it was when they said so, to be found again
        PRIMARY KEY (job_id, inbox, speaker)
    ) STRICT
    """,
    """
    CREATE TABLE named_inboxes (
        job_id INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        inbox TEXT NOT NULL,
        PRIMARY KEY (job_id, inbox)     -- its people were looked for
    ) STRICT
    """,
    # Biometric: whom an inbox knows by voice, up to five embeddings each.
    """
    CREATE TABLE enrolments (
        id INTEGER PRIMARY KEY,
        inbox TEXT NOT NULL,
        name TEXT NOT NULL,
        model TEXT NOT NULL,
        voice BLOB NOT NULL,
        source TEXT NOT NULL,           -- a file's name, or a recording and its speaker, for people
        sample TEXT NOT NULL DEFAULT '',  -- of a sample in the inbox's folder: its name and look
        created_at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX enrolments_by_inbox ON enrolments (inbox, name)",
)

CORRECTIONS = (
    # Corrected stretches of a recording's text as they stand now: see transcripts/correcting.py.
    """
    CREATE TABLE corrected (
        id INTEGER PRIMARY KEY,
        recording_id INTEGER NOT NULL REFERENCES recordings(id) ON DELETE CASCADE,
        first INTEGER,                  -- segments, counted in the order of time; NULL: not placed
        last INTEGER,
        said TEXT NOT NULL              -- what was recognised there
    ) STRICT
    """,
    "CREATE INDEX corrected_by_recording ON corrected (recording_id)",
    # The segments in force of each; the full-text index has them under numbers of their own.
    """
    CREATE TABLE passages (
        id INTEGER PRIMARY KEY,
        corrected_id INTEGER NOT NULL REFERENCES corrected(id) ON DELETE CASCADE,
        start_ms INTEGER NOT NULL,
        end_ms INTEGER NOT NULL,
        raw_start INTEGER NOT NULL,
        raw_end INTEGER NOT NULL,
        text TEXT NOT NULL,
        speaker TEXT,                   -- NULL: as recognised
        is_by_hand INTEGER NOT NULL     -- 1: a person wrote the text
    ) STRICT
    """,
    "CREATE INDEX passages_by_corrected ON passages (corrected_id)",
    # What was done, by whom and when: only forgetting takes any of it away.
    """
    CREATE TABLE corrections (
        id INTEGER PRIMARY KEY,
        recording_id INTEGER NOT NULL REFERENCES recordings(id) ON DELETE CASCADE,
        revision INTEGER NOT NULL,      -- of the recording's text, from 1
        kind TEXT NOT NULL,             -- 'text', 'speaker', 'split', 'join', 'undo', 'discard', 'placed'
        who TEXT NOT NULL,
        made_at TEXT NOT NULL,
        before TEXT NOT NULL,           -- JSON: what was corrected there before
        after TEXT NOT NULL,            -- JSON: what is now
        start_ms INTEGER NOT NULL,
        before_text TEXT NOT NULL,
        after_text TEXT NOT NULL,
        undone_by INTEGER REFERENCES corrections(id),
        UNIQUE (recording_id, revision)
    ) STRICT
    """,
    "CREATE INDEX corrections_undone ON corrections (undone_by)",  # asked for by each deletion: a foreign key
    "ALTER TABLE recordings ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE recordings ADD COLUMN written_revision INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE recordings ADD COLUMN forgotten_at TEXT",
    "CREATE INDEX recordings_to_rewrite ON recordings (id) WHERE revision <> written_revision",
    "CREATE INDEX recordings_corrected ON recordings (job_id) WHERE revision > 0",
    "CREATE INDEX recordings_forgotten ON recordings (id) WHERE forgotten_at IS NOT NULL",
)

PARTS = (
    # Recordings of inboxes whose parts are joined, as they were when they were last looked at.
    """
    CREATE TABLE parts (
        recording_id INTEGER PRIMARY KEY REFERENCES recordings(id) ON DELETE CASCADE,
        seen TEXT NOT NULL,             -- what its row said; where that is another now, it is looked at again
        path BLOB NOT NULL,
        name TEXT NOT NULL,             -- that it had in the inbox; in the archive it may have another
        family TEXT NOT NULL,           -- of inbox, folder and what names share; '': its name says nothing
        first INTEGER,                  -- the recording that its run begins with; NULL: not known yet
        holds TEXT,                     -- of a first: what the joined files hold, as a digest
        is_due INTEGER NOT NULL         -- 1: its family's files are to be looked after
    ) STRICT
    """,
    "CREATE INDEX parts_by_family ON parts (family, first)",
    "CREATE INDEX parts_due ON parts (family) WHERE is_due = 1",
)
