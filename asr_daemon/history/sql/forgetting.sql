-- Forgetting a recording's text. Every statement by name, named parameters throughout.

-- versions_of: rows of the same content at the same path, whatever it was recognised under; and their work
SELECT others.id, others.job_id FROM recordings AS mine JOIN jobs AS work ON work.id = mine.job_id
JOIN recordings AS others ON others.path = mine.path AND others.inbox = mine.inbox
JOIN jobs AS theirs ON theirs.id = others.job_id AND theirs.sha256 = work.sha256
WHERE mine.id = :recording

-- others_of_job: other files whose text this is, too
SELECT id FROM recordings
WHERE job_id = :job AND state NOT IN ('superseded', 'gone') AND forgotten_at IS NULL

-- forget_recording: it is waited for no more, and has no text
UPDATE recordings SET forgotten_at = coalesce(forgotten_at, :now),
    forgotten_by = CASE WHEN forgotten_at IS NULL THEN :who ELSE forgotten_by END, problem = :problem, revision = 0, written_revision = 0,
    state = CASE WHEN state = 'superseded' THEN state ELSE 'cancelled' END
WHERE id = :recording

-- forget_corrections: steps
DELETE FROM corrections WHERE recording_id = :recording

-- forget_passages: the words of corrected stretches, in the index
DELETE FROM segments_fts WHERE rowid IN (
    SELECT 1099511627776 + passages.id FROM passages JOIN corrected ON corrected.id = passages.corrected_id
    WHERE corrected.recording_id = :recording)

-- forget_corrected: corrected stretches with their passages
DELETE FROM corrected WHERE recording_id = :recording

-- forget_attempts: what was tried; evidence may quote the recording
DELETE FROM attempts WHERE job_id = :job

-- forget_job: nothing is known of the work but that nobody waits for it; one that runs is ended by who runs it
UPDATE jobs SET state = 'withdrawn', not_before = NULL, finished_at = NULL, duration_ms = NULL, flags = '[]',
    timings_ms = '{}', error_code = NULL, error_message = NULL, segmented = 0
WHERE id = :job AND state <> 'running'

-- half_forgotten: forgotten recordings of which something is left: files, or a text that was under way
SELECT recordings.id FROM recordings
WHERE forgotten_at IS NOT NULL AND (
    EXISTS (SELECT 1 FROM outputs WHERE outputs.recording_id = recordings.id AND outputs.format NOT LIKE 'joined-%')
    OR EXISTS (SELECT 1 FROM segments JOIN jobs ON jobs.id = segments.job_id
        WHERE segments.job_id = recordings.job_id AND jobs.state <> 'running'
        AND NOT EXISTS (SELECT 1 FROM recordings AS others WHERE others.job_id = jobs.id
            AND others.state NOT IN ('superseded', 'gone') AND others.forgotten_at IS NULL)))

-- begin_merge: the parts of the index that hold deleted words become one without them
INSERT INTO segments_fts (segments_fts, rank) VALUES ('merge', -:pages)

-- go_on_merging: some more of it
INSERT INTO segments_fts (segments_fts, rank) VALUES ('merge', :pages)
