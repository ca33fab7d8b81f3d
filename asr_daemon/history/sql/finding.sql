-- Searching, newest first and no further than is shown. Every statement by name, named parameters throughout.

-- newest_segment: up to where the index goes
SELECT max(id) AS id FROM segments

-- said_before: where a term stands, the latest first; the index is read backwards and only as far as is asked
SELECT segments.id AS segment, segments.job_id AS job, segments.number, segments.start_ms, segments.end_ms, segments.text
FROM segments_fts CROSS JOIN segments ON segments.id = segments_fts.rowid
WHERE segments_fts MATCH :term AND segments_fts.rowid < :before AND segments_fts.rowid >= :floor
ORDER BY segments_fts.rowid DESC LIMIT :limit

-- said_in_job: where a term stands in a job, whose segments lie between two numbers (and may lie among others')
SELECT segments.id AS segment, segments.job_id AS job, segments.number, segments.start_ms, segments.end_ms, segments.text
FROM segments_fts CROSS JOIN segments ON segments.id = segments_fts.rowid
WHERE segments_fts MATCH :term AND segments_fts.rowid BETWEEN :first AND :last AND segments.job_id = :job

-- corrected_before: where a term stands in what people corrected, the latest first
SELECT segments_fts.rowid AS number, corrected.recording_id AS recording
FROM segments_fts CROSS JOIN passages ON passages.id = segments_fts.rowid - 1099511627776
JOIN corrected ON corrected.id = passages.corrected_id AND corrected.first IS NOT NULL
WHERE segments_fts MATCH :term AND segments_fts.rowid > 1099511627776
  AND segments_fts.rowid < :before
ORDER BY segments_fts.rowid DESC LIMIT :limit

-- said_in_corrected: where a term stands in what people corrected in a recording
SELECT 1099511627776 + passages.id AS segment, recordings.job_id AS job, 0 AS number, passages.start_ms,
    passages.end_ms, passages.text, passages.speaker
FROM corrected JOIN recordings ON recordings.id = corrected.recording_id
CROSS JOIN passages ON passages.corrected_id = corrected.id
CROSS JOIN segments_fts ON segments_fts.rowid = 1099511627776 + passages.id
WHERE corrected.recording_id = :recording AND corrected.first IS NOT NULL AND segments_fts MATCH :term

-- corrected_stretches: which recognised segments of a recording do not count any more, by number
SELECT first, last FROM corrected WHERE recording_id = :recording AND first IS NOT NULL

-- job_of_corrected: the text that a corrected recording has
SELECT job_id AS job FROM recordings WHERE id = :id AND state IN ('done', 'waiting')

-- range_of_job: between which numbers the segments of a job lie
SELECT min(id) AS first, max(id) AS last FROM segments WHERE job_id = :job

-- files_of_job: the recordings whose text a job's is, of some inboxes
SELECT id, coalesce(sent_to, inbox) AS inbox, name, path, found_at, revision FROM recordings
WHERE job_id = :job AND state IN ('done', 'waiting')
  AND (:inboxes IS NULL OR coalesce(sent_to, inbox) IN (SELECT value FROM json_each(:inboxes)))
ORDER BY id DESC

-- count_up_to: how many recordings some inboxes have that can be searched, if they are not very many
SELECT count(*) AS recordings FROM (
    SELECT 1 FROM json_each(:inboxes) AS asked CROSS JOIN recordings INDEXED BY recordings_by_inbox
        ON recordings.inbox = asked.value
    WHERE recordings.state IN ('done', 'waiting')
    UNION ALL
    SELECT 1 FROM json_each(:inboxes) AS asked CROSS JOIN recordings INDEXED BY recordings_sent_to
        ON recordings.sent_to = asked.value
    WHERE recordings.state IN ('done', 'waiting')
    LIMIT :limit
)

-- jobs_of_inboxes: the texts of some inboxes, newest files first
SELECT max(id) AS recording, job_id AS job FROM (
    SELECT recordings.id, recordings.job_id
    FROM json_each(:inboxes) AS asked CROSS JOIN recordings INDEXED BY recordings_by_inbox
        ON recordings.inbox = asked.value
    WHERE recordings.state IN ('done', 'waiting') AND recordings.job_id IS NOT NULL
    UNION ALL
    SELECT recordings.id, recordings.job_id
    FROM json_each(:inboxes) AS asked CROSS JOIN recordings INDEXED BY recordings_sent_to
        ON recordings.sent_to = asked.value
    WHERE recordings.state IN ('done', 'waiting') AND recordings.job_id IS NOT NULL
)
GROUP BY job_id HAVING max(id) < :before ORDER BY 1 DESC
