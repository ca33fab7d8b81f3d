-- Searching, newest first and no further than is shown. Every statement by name, named parameters throughout.

-- newest_segment: up to where the index goes
SELECT max(id) AS id FROM segments

-- said_before: where a term stands, the latest first; the index is read backwards and only as far as is asked
SELECT segments.id AS segment, segments.job_id AS job, segments.start_ms, segments.end_ms, segments.text
FROM segments_fts CROSS JOIN segments ON segments.id = segments_fts.rowid
WHERE segments_fts MATCH :term AND segments_fts.rowid < :before AND segments_fts.rowid >= :floor
ORDER BY segments_fts.rowid DESC LIMIT :limit

-- said_in_job: where a term stands in a job, whose segments lie between two numbers (and may lie among others')
SELECT segments.id AS segment, segments.job_id AS job, segments.start_ms, segments.end_ms, segments.text
FROM segments_fts CROSS JOIN segments ON segments.id = segments_fts.rowid
WHERE segments_fts MATCH :term AND segments_fts.rowid BETWEEN :first AND :last AND segments.job_id = :job

-- range_of_job: between which numbers the segments of a job lie
SELECT min(id) AS first, max(id) AS last FROM segments WHERE job_id = :job

-- files_of_job: the recordings whose text a job's is, of some inboxes
SELECT id, inbox, name, path, found_at FROM recordings
WHERE job_id = :job AND state IN ('done', 'waiting')
  AND (:inboxes IS NULL OR inbox IN (SELECT value FROM json_each(:inboxes)))
ORDER BY id DESC

-- count_up_to: how many recordings some inboxes have that can be searched, if they are not very many
SELECT count(*) AS recordings FROM (
    SELECT 1 FROM json_each(:inboxes) AS asked CROSS JOIN recordings ON recordings.inbox = asked.value
    WHERE recordings.state IN ('done', 'waiting') LIMIT :limit
)

-- jobs_of_inboxes: the texts of some inboxes, newest files first
SELECT max(recordings.id) AS recording, recordings.job_id AS job
FROM json_each(:inboxes) AS asked CROSS JOIN recordings ON recordings.inbox = asked.value
WHERE recordings.state IN ('done', 'waiting') AND recordings.job_id IS NOT NULL
GROUP BY recordings.job_id HAVING max(recordings.id) < :before ORDER BY 1 DESC
