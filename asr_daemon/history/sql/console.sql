-- What the console's pages show. Every statement by name, named parameters throughout.

-- browse: recordings, newest first, a page of them (in the order of their numbers: nothing is sorted). Names come first: asking whose it is costs more
SELECT recordings.id, coalesce(recordings.sent_to, recordings.inbox) AS inbox, recordings.name, recordings.path, recordings.state, recordings.found_at,
    recordings.written_at, recordings.archived_at, recordings.problem, recordings.forgotten_at, recordings.forgotten_by, jobs.state AS job_state, jobs.duration_ms,
    jobs.error_code, jobs.error_message
FROM recordings NOT INDEXED LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.id < :before AND recordings.state <> 'superseded'
  AND (:text IS NULL OR recordings.name LIKE :text ESCAPE '\')
  AND coalesce(recordings.sent_to, recordings.inbox) IN (SELECT value FROM json_each(:inboxes))
  AND (:since IS NULL OR recordings.found_at >= :since) AND (:until IS NULL OR recordings.found_at < :until)
ORDER BY recordings.id DESC LIMIT :limit

-- browse_in_state: the same, of those in a state; job_state narrows it down to that of the work
SELECT recordings.id, coalesce(recordings.sent_to, recordings.inbox) AS inbox, recordings.name, recordings.path, recordings.state, recordings.found_at,
    recordings.written_at, recordings.archived_at, recordings.problem, recordings.forgotten_at, recordings.forgotten_by, jobs.state AS job_state, jobs.duration_ms,
    jobs.error_code, jobs.error_message
FROM recordings INDEXED BY recordings_by_state LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.state = :state AND recordings.id < :before
  AND (:text IS NULL OR recordings.name LIKE :text ESCAPE '\')
  AND (:forgotten IS NULL OR (recordings.forgotten_at IS NOT NULL) = :forgotten)
  AND (:job_state IS NULL OR jobs.state = :job_state)
  AND coalesce(recordings.sent_to, recordings.inbox) IN (SELECT value FROM json_each(:inboxes))
  AND (:since IS NULL OR recordings.found_at >= :since) AND (:until IS NULL OR recordings.found_at < :until)
ORDER BY recordings.id DESC LIMIT :limit

-- listed_rows: some recordings, as they stand in a list
SELECT recordings.id, coalesce(recordings.sent_to, recordings.inbox) AS inbox, recordings.name, recordings.path, recordings.state, recordings.found_at,
    recordings.written_at, recordings.archived_at, recordings.problem, recordings.forgotten_at, recordings.forgotten_by, jobs.state AS job_state, jobs.duration_ms,
    jobs.error_code, jobs.error_message
FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.id IN (SELECT value FROM json_each(:recordings))

-- hours_by_day: how much was transcribed on each day (of the local time zone) in each inbox, in milliseconds
SELECT date(jobs.finished_at, 'localtime') AS day, coalesce(recordings.sent_to, recordings.inbox) AS inbox, sum(jobs.duration_ms) AS duration_ms
FROM jobs JOIN recordings ON recordings.id = (
    SELECT min(files.id) FROM recordings AS files WHERE files.job_id = jobs.id
)
WHERE jobs.finished_at >= :since AND jobs.state = 'done'
  AND coalesce(recordings.sent_to, recordings.inbox) IN (SELECT value FROM json_each(:inboxes))
GROUP BY 1, 2
