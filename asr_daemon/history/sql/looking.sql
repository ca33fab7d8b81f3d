-- Looking back, and how everything stands. Every statement by name, named parameters throughout.

-- history: what was found, newest first
SELECT recordings.id, recordings.inbox, recordings.name, recordings.path, recordings.state,
    recordings.found_at, recordings.written_at, recordings.archived_at, recordings.problem,
    jobs.state AS job_state, jobs.duration_ms,
    jobs.model_name, jobs.attempts, jobs.error_code, jobs.error_message, jobs.sha256, jobs.id AS job_id
FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE (:inboxes IS NULL OR recordings.inbox IN (SELECT value FROM json_each(:inboxes)))
  AND (:state IS NULL OR recordings.state = :state OR (recordings.state = 'waiting' AND jobs.state = :state)
       OR (recordings.state = 'failed' AND jobs.state = :state))
  AND (:since IS NULL OR recordings.found_at >= :since)
ORDER BY recordings.id DESC LIMIT :limit

-- history_before: the same, of what was found before a recording
SELECT recordings.id, recordings.inbox, recordings.name, recordings.path, recordings.state,
    recordings.found_at, recordings.written_at, recordings.archived_at, recordings.problem,
    jobs.state AS job_state, jobs.duration_ms,
    jobs.model_name, jobs.attempts, jobs.error_code, jobs.error_message, jobs.sha256, jobs.id AS job_id
FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.id < :before AND (:inboxes IS NULL OR recordings.inbox IN (SELECT value FROM json_each(:inboxes)))
  AND (:state IS NULL OR recordings.state = :state OR (recordings.state = 'waiting' AND jobs.state = :state)
       OR (recordings.state = 'failed' AND jobs.state = :state))
  AND (:since IS NULL OR recordings.found_at >= :since)
ORDER BY recordings.id DESC LIMIT :limit

-- attempts_of_job: what was tried
SELECT number, recogniser, started_at, ended_at, error_code, error_message, evidence FROM attempts
WHERE job_id = :job ORDER BY id

-- queue_counts: how many jobs are in each state
SELECT jobs.state, count(*) AS jobs FROM jobs
WHERE jobs.state NOT IN ('queued', 'running', 'withdrawn')
   OR EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')
GROUP BY jobs.state

-- inbox_counts: how many recordings of each inbox are in each state
SELECT inbox, state, count(*) AS recordings FROM recordings WHERE state <> 'superseded' GROUP BY inbox, state

-- recent_errors: what went wrong last
SELECT recordings.id, recordings.inbox, recordings.path, recordings.state, recordings.problem,
    jobs.state AS job_state, jobs.error_code, jobs.error_message, jobs.finished_at
FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.state <> 'superseded' AND recordings.state <> 'gone' AND recordings.forgotten_at IS NULL
  AND (jobs.error_code IS NOT NULL OR recordings.problem IS NOT NULL)
ORDER BY coalesce(jobs.finished_at, recordings.found_at) DESC LIMIT :limit

-- failures_by_class: how much work has failed for good, by class
SELECT error_code, count(*) AS jobs FROM jobs WHERE state IN ('failed', 'quarantined') GROUP BY error_code

-- work_ahead: pieces of work that are queued or in work, with one of the files that wait for them
SELECT jobs.id AS job, recordings.name, recordings.size_bytes FROM jobs
JOIN recordings ON recordings.job_id = jobs.id AND recordings.state = 'waiting'
WHERE jobs.state IN ('queued', 'running') GROUP BY jobs.id

-- work_done: what was finished last, with one of its files
SELECT recordings.name, recordings.size_bytes, jobs.duration_ms, jobs.started_at, jobs.finished_at FROM jobs
JOIN recordings ON recordings.id = (SELECT min(id) FROM recordings WHERE job_id = jobs.id)
WHERE jobs.state = 'done' AND jobs.duration_ms > 0 AND jobs.started_at IS NOT NULL AND jobs.finished_at IS NOT NULL
ORDER BY jobs.finished_at DESC LIMIT :limit
