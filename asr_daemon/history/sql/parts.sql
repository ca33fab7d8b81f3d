-- Recordings that may be parts of one. Every statement by name, named parameters throughout.

-- newest_recording: the largest number of a recording
SELECT coalesce(max(id), 0) AS id FROM recordings

-- changed_parts: recordings of inboxes that join, some of all, that say something else than when last looked at
SELECT * FROM (
    SELECT recordings.id, recordings.inbox, recordings.path, recordings.name, recordings.archived_at, parts.family,
        recordings.state || ' ' || recordings.mtime_ns || ' ' || coalesce(recordings.job_id, '')
        || ' ' || coalesce(recordings.archived_at, '') || ' ' || coalesce(recordings.forgotten_at, '')
        || ' ' || recordings.revision || ' ' || coalesce(jobs.finished_at, '') || ' ' || coalesce(jobs.speakers, '')
        || CASE WHEN jobs.speakers IS NULL THEN '' ELSE coalesce((
            SELECT group_concat(speaker || ' ' || name, '/') FROM speaker_names
            WHERE speaker_names.job_id = jobs.id AND speaker_names.inbox = recordings.inbox), '') END AS seen,
        parts.seen AS before, parts.path AS path_before
    FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
    LEFT JOIN parts ON parts.recording_id = recordings.id
    WHERE recordings.id > :after AND recordings.id <= :until
      AND recordings.inbox IN (SELECT value FROM json_each(:inboxes))
) WHERE seen IS NOT before OR path IS NOT path_before LIMIT :limit

-- see_part: it was looked at; files of its family are to be looked after
INSERT INTO parts (recording_id, seen, path, name, family, is_due)
VALUES (:recording, :seen, :path, :name, :family, 1)
ON CONFLICT (recording_id) DO UPDATE SET seen = excluded.seen, path = excluded.path, name = excluded.name,
    first = CASE WHEN family = excluded.family THEN first END,
    family = excluded.family, is_due = 1

-- see_archived_part: the same of one in the archive, whose name and family are those that it had before
INSERT INTO parts (recording_id, seen, path, name, family, is_due)
VALUES (:recording, :seen, :path, :name, '', 1)
ON CONFLICT (recording_id) DO UPDATE SET seen = excluded.seen, path = excluded.path, is_due = 1

-- make_family_due: one has left it
UPDATE parts SET is_due = 1 WHERE family = :family

-- settle_lone_parts: those alone in their family, or whose names say nothing, and without joined files, need nothing
UPDATE parts SET is_due = 0, first = recording_id
WHERE is_due = 1 AND (family = '' OR NOT EXISTS (
    SELECT 1 FROM parts AS others WHERE others.family = parts.family AND others.recording_id <> parts.recording_id))
  AND NOT EXISTS (SELECT 1 FROM outputs
                  WHERE outputs.recording_id = parts.recording_id AND outputs.format LIKE 'joined-%')

-- due_families: families whose files are to be looked after
SELECT DISTINCT family FROM parts WHERE is_due = 1

-- family_members: recordings of a family, with what can change a joined text
SELECT recordings.id, parts.name, parts.first, parts.holds, recordings.state, recordings.size_bytes, recordings.mtime_ns,
    recordings.found_at, recordings.forgotten_at, jobs.sha256, jobs.duration_ms, jobs.state AS job_state,
    jobs.speakers, jobs.flags, parts.seen
FROM parts JOIN recordings ON recordings.id = parts.recording_id LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE parts.family = :family AND recordings.state NOT IN ('superseded', 'gone')

-- joined_owners: recordings of a family, former ones too, for whose runs files were written
SELECT DISTINCT outputs.recording_id FROM parts JOIN outputs ON outputs.recording_id = parts.recording_id
WHERE parts.family = :family AND outputs.format LIKE 'joined-%'

-- set_run: which run it is in
UPDATE parts SET first = :first WHERE recording_id = :recording AND first IS NOT :first

-- set_holds: what the joined files of a run hold
UPDATE parts SET holds = :holds WHERE recording_id = :recording

-- family_is_done: its files are looked after
UPDATE parts SET is_due = 0 WHERE family = :family AND is_due = 1

-- family_of: where a recording belongs
SELECT family, first, is_due FROM parts WHERE recording_id = :recording

-- written_at_of: when a recording was written
SELECT written_at FROM recordings WHERE id = :recording

-- resting_part: a part of the same run that is still to be written, or was a moment ago, or the recording itself
SELECT 1 FROM parts AS mine JOIN parts AS others ON others.family = mine.family AND others.first = mine.first
JOIN recordings ON recordings.id = others.recording_id
WHERE mine.recording_id = :recording AND mine.family <> ''
  AND (recordings.written_at > :since
       OR (recordings.state = 'waiting'
           AND (SELECT written_at FROM recordings AS own WHERE own.id = :recording) > :long_since))
LIMIT 1

-- written_first: when the first of a recording's run was written
SELECT recordings.written_at FROM parts JOIN recordings ON recordings.id = parts.first
WHERE parts.recording_id = :recording

-- forget_part: what was seen of it held names of speakers; its family's files are to be looked after
UPDATE parts SET seen = '', holds = NULL, is_due = 1 WHERE recording_id = :recording
