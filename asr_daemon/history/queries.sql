-- Every statement of the daemon and of the commands, by name. Named parameters throughout.

-- insert_profile: remember a profile once
INSERT OR IGNORE INTO profiles (digest, profile, list_digest, created_at)
VALUES (:digest, :profile, :list_digest, :now)

-- keep_hotword_list: work with that list is begun, or (for good) was asked for on the command line
INSERT INTO hotword_lists (digest, words, replacements, for_good)
VALUES (:digest, :words, :replacements, :for_good)
ON CONFLICT (digest) DO UPDATE SET for_good = max(for_good, excluded.for_good)

-- get_hotword_list: the words of a list
SELECT words, replacements FROM hotword_lists WHERE digest = :digest

-- count_hotword_lists: how many lie there that are not for good
SELECT count(*) AS lists FROM hotword_lists WHERE for_good = 0

-- drop_hotword_lists: forget those of work that is over
DELETE FROM hotword_lists WHERE for_good = 0 AND digest NOT IN (
    SELECT profiles.list_digest FROM jobs JOIN profiles ON profiles.digest = jobs.profile_digest
    WHERE jobs.state IN ('queued', 'running') AND profiles.list_digest IS NOT NULL)

-- find_job: the piece of work of a content under a profile
SELECT * FROM jobs WHERE sha256 = :sha256 AND profile_digest = :profile_digest

-- get_job: one job with its profile
SELECT jobs.*, profiles.profile FROM jobs JOIN profiles ON profiles.digest = jobs.profile_digest
WHERE jobs.id = :job

-- insert_job: a new piece of work
INSERT INTO jobs (sha256, profile_digest, state, priority, queued_at)
VALUES (:sha256, :profile_digest, 'queued', :priority, :now)
RETURNING id

-- raise_priority: somebody waits for a job that is queued already
UPDATE jobs SET priority = min(priority, :priority) WHERE id = :job

-- current_recording: the row that stands for a path now, in the share or on the command line
SELECT * FROM recordings WHERE path = :path AND state <> 'superseded' AND (inbox = '') = (:inbox = '')

-- insert_recording: a file was found, settled and hashed
INSERT INTO recordings (inbox, path, name, size_bytes, mtime_ns, inode, device, job_id, state, problem, found_at)
VALUES (:inbox, :path, :name, :size_bytes, :mtime_ns, :inode, :device, :job, :state, :problem, :now)
RETURNING id

-- supersede_recording: another content lies at its path now
UPDATE recordings SET state = 'superseded' WHERE id = :recording

-- inherit_outputs: the new version of a recording owns the files of the old one
UPDATE outputs SET recording_id = :new WHERE recording_id = :old

-- update_recording: the same path again: how it looks now and what work it belongs to
UPDATE recordings SET size_bytes = :size_bytes, mtime_ns = :mtime_ns, inode = :inode, device = :device,
    job_id = :job, state = :state, problem = :problem, inbox = :inbox
WHERE id = :recording

-- moved_from: recordings of a content that may lie elsewhere now, newest first; those given up had failed
SELECT recordings.*, jobs.sha256, jobs.profile_digest, jobs.state AS job_state, jobs.attempts,
    jobs.duration_ms, jobs.model_name, jobs.model_is_builtin, jobs.device AS job_device, jobs.precision, jobs.flags,
    jobs.timings_ms, jobs.error_code, jobs.error_message, jobs.queued_at, jobs.started_at, jobs.finished_at,
    profiles.profile
FROM recordings JOIN jobs ON jobs.id = recordings.job_id JOIN profiles ON profiles.digest = jobs.profile_digest
WHERE jobs.sha256 = :sha256 AND recordings.path <> :path AND recordings.inbox <> ''
  AND recordings.archived_at IS NULL
  AND (recordings.state IN ('waiting', 'done', 'failed', 'cancelled')
       OR (recordings.state = 'gone' AND jobs.state IN ('failed', 'quarantined')))
ORDER BY recordings.id DESC LIMIT :limit

-- move_recording: the same file lies at another path
UPDATE recordings SET path = :path, name = :name, inbox = :inbox, size_bytes = :size_bytes, mtime_ns = :mtime_ns,
    inode = :inode, device = :device, state = :state, problem = NULL
WHERE id = :recording

-- move_output: a file of a recording was moved along with it
UPDATE OR IGNORE outputs SET path = :path, same_name = :same_name WHERE path = :before

-- known_signatures: files that need no look until they change
SELECT path, size_bytes, mtime_ns, inode FROM recordings
WHERE inbox = :inbox AND state IN ('waiting', 'done', 'failed', 'cancelled')
  AND job_id IS NOT NULL AND archived_at IS NULL

-- waiting_recordings: files of an inbox whose transcript is still to come
SELECT * FROM recordings WHERE inbox = :inbox AND state = 'waiting'

-- queued_recordings: those of them whose work was not begun
SELECT recordings.* FROM recordings JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.inbox = :inbox AND recordings.state = 'waiting' AND jobs.state = 'queued'

-- strangers: files that wait though their inbox is configured no more
SELECT * FROM recordings
WHERE state = 'waiting' AND inbox <> '' AND inbox NOT IN (SELECT value FROM json_each(:inboxes))

-- set_recording_state: a recording moved on
UPDATE recordings SET state = :state, problem = :problem, written_at = coalesce(:written_at, written_at)
WHERE id = :recording

-- set_recording_problem: its transcript cannot be written at present
UPDATE recordings SET problem = :problem WHERE id = :recording

-- rebind_recording: a waiting recording belongs to another piece of work now
UPDATE recordings SET job_id = :job WHERE id = :recording

-- transcribed_recordings: finished files of an inbox with their work
SELECT recordings.*, jobs.sha256, jobs.profile_digest, jobs.state AS job_state, jobs.attempts,
    jobs.duration_ms, jobs.model_name, jobs.model_is_builtin, jobs.device AS job_device, jobs.precision, jobs.flags,
    jobs.timings_ms, jobs.error_code, jobs.error_message, jobs.queued_at, jobs.started_at, jobs.finished_at,
    profiles.profile
FROM recordings JOIN jobs ON jobs.id = recordings.job_id JOIN profiles ON profiles.digest = jobs.profile_digest
WHERE recordings.inbox = :inbox AND recordings.state = 'done' AND recordings.archived_at IS NULL
ORDER BY recordings.id

-- next_job: the first queued job that is due and that some file waits for whose inbox is there
SELECT jobs.id FROM jobs
WHERE jobs.state = 'queued'
  AND (jobs.not_before IS NULL OR jobs.not_before <= :now
       OR jobs.put_back_at > :now)  -- the clock was set back: half a minute must not become a day
  AND (:fresh_only = 0 OR jobs.is_suspect = 0)
  AND EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting'
              AND (:most_bytes IS NULL OR recordings.size_bytes <= :most_bytes)
              AND recordings.inbox NOT IN (SELECT value FROM json_each(:away)))
ORDER BY jobs.priority, jobs.id LIMIT 1

-- usual_due: a job that is due, and that memory has sufficed for so far
SELECT 1 FROM jobs
WHERE state = 'queued' AND memory_rung = 0 AND (not_before IS NULL OR not_before <= :now)
  AND EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')
LIMIT 1

-- overdue_suspect: a suspect that has been due since then, and that some file waits for whose inbox is there
SELECT 1 FROM jobs INDEXED BY jobs_suspect
WHERE jobs.state = 'queued' AND jobs.is_suspect = 1 AND jobs.not_before <= :before
  AND EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting'
              AND recordings.inbox NOT IN (SELECT value FROM json_each(:away)))
LIMIT 1

-- any_queued: whether anything that somebody waits for waits for its time
SELECT 1 FROM jobs WHERE state = 'queued'
  AND EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')
LIMIT 1

-- claim_job: the attempt is counted before anything is tried
UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = :now, not_before = NULL,
    claimed_by = :recogniser
WHERE id = :job

-- begin_attempt: evidence begins
INSERT INTO attempts (job_id, number, segments, recogniser, started_at)
SELECT :job, (SELECT count(*) + 1 FROM attempts WHERE job_id = :job),
    (SELECT count(*) FROM segments WHERE job_id = :job AND raw_text IS NOT NULL), :recogniser, :now

-- begin_recognition: what recognises the newest attempt
UPDATE attempts SET model_name = :model_name, model_is_builtin = :model_is_builtin, device = :device,
    precision = :precision
WHERE id = (SELECT max(id) FROM attempts WHERE job_id = :job)

-- unwanted_jobs: running jobs that nobody waits for any more
SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(:jobs)) AND state = 'running'
  AND NOT EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')

-- withdraw_job: a queued job that nobody waits for is queued no more
UPDATE jobs SET state = 'withdrawn', not_before = NULL WHERE id = :job AND state = 'queued'
  AND NOT EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')

-- requeue_job: somebody waits again for a job that was withdrawn
UPDATE jobs SET state = 'queued', queued_at = :now, priority = :priority, not_before = NULL WHERE id = :job

-- end_attempt: how the newest attempt ended
UPDATE attempts SET ended_at = :now, error_code = :error_code, error_message = :error_message, evidence = :evidence
WHERE id = (SELECT max(id) FROM attempts WHERE job_id = :job)

-- add_evidence: more is known of why the newest attempt failed
UPDATE attempts SET evidence = trim(coalesce(evidence, '') || char(10) || :evidence, char(10))
WHERE id = (SELECT max(id) FROM attempts WHERE job_id = :job)

-- attempt_progress: whether the newest attempt brought its job on
SELECT (SELECT count(*) FROM segments WHERE job_id = :job AND raw_text IS NOT NULL) > segments AS has_progressed
FROM attempts WHERE job_id = :job ORDER BY id DESC LIMIT 1

-- drop_attempt: what was tried was not the recording
DELETE FROM attempts WHERE id = (SELECT max(id) FROM attempts WHERE job_id = :job) AND ended_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM segments WHERE segments.job_id = :job AND segments.attempt_id = attempts.id)

-- open_attempt: the attempt that has not ended
SELECT id FROM attempts WHERE job_id = :job AND ended_at IS NULL

-- job_recordings: the files that wait for a job
SELECT * FROM recordings WHERE job_id = :job AND state = 'waiting' ORDER BY inbox = '' DESC, id

-- put_back_job: try again, later
UPDATE jobs SET state = 'queued', claimed_by = NULL, not_before = :not_before, put_back_at = :now,
    attempts = attempts - :unspent,
    strikes = strikes + :strike, is_suspect = max(is_suspect, :is_suspect), memory_rung = max(memory_rung, :rung),
    error_code = coalesce(:error_code, error_code), error_message = coalesce(:error_message, error_message)
WHERE id = :job

-- end_job: no further try
UPDATE jobs SET state = :state, claimed_by = NULL, finished_at = :now, error_code = :error_code, error_message = :error_message
WHERE id = :job

-- finish_job: every segment is committed
UPDATE jobs SET state = 'done', claimed_by = NULL, finished_at = :now, duration_ms = :duration_ms, flags = :flags,
    timings_ms = :timings_ms, model_name = :model_name, model_is_builtin = :model_is_builtin, device = :device,
    precision = :precision,
    error_code = NULL, error_message = NULL, not_before = NULL
WHERE id = :job

-- interrupted_jobs: work that a stopped or killed daemon left behind
SELECT id, attempts FROM jobs
WHERE state = 'running' AND coalesce(claimed_by, '') NOT IN (SELECT value FROM json_each(:held))

-- reset_job: forget failures, begin anew
UPDATE jobs SET state = 'queued', attempts = 0, strikes = 0, is_suspect = 0, memory_rung = 0, not_before = NULL,
    error_code = NULL, error_message = NULL, finished_at = NULL, queued_at = :now
WHERE id = :job

-- wake_recordings: its files wait again
UPDATE recordings SET state = 'waiting', problem = NULL
WHERE job_id = :job AND state IN ('done', 'failed', 'waiting') AND archived_at IS NULL

-- insert_segment: a stretch of speech was found; one that lay elsewhere in an earlier try is recognised anew
INSERT INTO segments (job_id, number, start_ms, end_ms) VALUES (:job, :number, :start_ms, :end_ms)
ON CONFLICT (job_id, number) DO UPDATE SET start_ms = excluded.start_ms, end_ms = excluded.end_ms, raw_text = NULL
WHERE start_ms <> excluded.start_ms OR end_ms <> excluded.end_ms

-- save_segment: a segment was recognised, in the newest attempt
INSERT INTO segments (job_id, number, start_ms, end_ms, raw_text, text, tokens, spans, corrections, hotwords_hit, flags,
    attempt_id)
VALUES (:job, :number, :start_ms, :end_ms, :raw_text, :text, :tokens, :spans, :corrections, :hotwords_hit, :flags,
    (SELECT max(id) FROM attempts WHERE job_id = :job))
ON CONFLICT (job_id, number) DO UPDATE SET start_ms = excluded.start_ms, end_ms = excluded.end_ms,
    raw_text = excluded.raw_text, text = excluded.text, tokens = excluded.tokens, spans = excluded.spans,
    corrections = excluded.corrections, hotwords_hit = excluded.hotwords_hit, flags = excluded.flags,
    attempt_id = excluded.attempt_id
RETURNING id

-- index_segment: its words can be searched
INSERT OR REPLACE INTO segments_fts (rowid, body) VALUES (:segment, :body)

-- unindex_segments: the words of a job that begins anew
DELETE FROM segments_fts WHERE rowid IN (SELECT id FROM segments WHERE job_id = :job)

-- delete_segments: the segments of a job that begins anew
DELETE FROM segments WHERE job_id = :job

-- unindex_surplus: the words of segments that an earlier try found and this one did not
DELETE FROM segments_fts WHERE rowid IN (SELECT id FROM segments WHERE job_id = :job AND number >= :count)

-- delete_surplus: segments that an earlier try found and this one did not
DELETE FROM segments WHERE job_id = :job AND number >= :count

-- count_recognised: how much of a job is done
SELECT count(*) AS recognised FROM segments WHERE job_id = :job AND raw_text IS NOT NULL

-- recognised_segments: what need not be done again
SELECT number, start_ms, end_ms FROM segments WHERE job_id = :job AND raw_text IS NOT NULL ORDER BY number

-- job_segments: the text of a job
SELECT * FROM segments WHERE job_id = :job AND raw_text IS NOT NULL ORDER BY start_ms, number

-- segments_with_hotwords: where a job's text holds hotwords, and what was corrected there
SELECT raw_text, corrections, hotwords_hit FROM segments
WHERE job_id = :job AND raw_text IS NOT NULL AND hotwords_hit <> '[]' ORDER BY start_ms, number

-- undelivered: files whose work has ended, but which do not have their transcript yet
SELECT recordings.* FROM recordings JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.state = 'waiting' AND jobs.state IN ('done', 'failed', 'quarantined')
ORDER BY recordings.id

-- undelivered_of_job: files that wait for that job
SELECT * FROM recordings WHERE job_id = :job AND state = 'waiting' ORDER BY id

-- wake_held: transcripts that an older release wrote into the fall-back folder, and called done, are awaited still
UPDATE recordings SET state = 'waiting'
WHERE state = 'done' AND problem IS NOT NULL AND archived_at IS NULL AND inbox <> ''

-- get_recording: one file with its work
SELECT recordings.*, jobs.sha256, jobs.profile_digest, jobs.state AS job_state, jobs.attempts,
    jobs.duration_ms, jobs.model_name, jobs.model_is_builtin, jobs.device AS job_device, jobs.precision, jobs.flags,
    jobs.timings_ms, jobs.error_code, jobs.error_message, jobs.queued_at, jobs.started_at, jobs.finished_at,
    profiles.profile
FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
LEFT JOIN profiles ON profiles.digest = jobs.profile_digest
WHERE recordings.id = :recording

-- plan_output: this path is about to be written for that recording, with that content
INSERT INTO outputs (path, same_name, recording_id, format, planned_sha256, planned_bytes)
VALUES (:path, :same_name, :recording, :format, :sha256, :size_bytes)
ON CONFLICT (path) DO UPDATE SET recording_id = excluded.recording_id, format = excluded.format,
    planned_sha256 = excluded.planned_sha256, planned_bytes = excluded.planned_bytes

-- confirm_output: it was written as planned
UPDATE outputs SET written_at = :now, written_sha256 = planned_sha256, written_bytes = planned_bytes
WHERE path = :path

-- forget_output: it is no more
DELETE FROM outputs WHERE path = :path

-- output_owner: for which recording a file of that name was written
SELECT recording_id FROM outputs WHERE same_name = :same_name

-- recording_outputs: the files of a recording
SELECT path, format, written_sha256, planned_sha256, written_bytes, planned_bytes FROM outputs
WHERE recording_id = :recording ORDER BY path

-- archivable: finished files of inboxes that have an archive
SELECT * FROM recordings
INDEXED BY recordings_to_archive  -- else those that lie in the archive are read, too, every other second
WHERE state = 'done' AND archived_at IS NULL AND job_id IS NOT NULL
  AND inbox IN (SELECT value FROM json_each(:inboxes))
ORDER BY id

-- archive_recording: it lies in the archive
UPDATE recordings SET archived_at = :now, path = coalesce(:path, path) WHERE id = :recording

-- supersede_at: what lay at a path before lies there no more
UPDATE recordings SET state = 'superseded'
WHERE path = :path AND inbox <> '' AND id <> :recording AND state <> 'superseded'

-- forget_outputs: its files lie in the archive, their names are free
DELETE FROM outputs WHERE recording_id = :recording

-- failure_files: failed recordings of an inbox and the file that says so
SELECT recordings.id AS recording, recordings.job_id AS job, recordings.path AS path, outputs.path AS failure_path
FROM outputs JOIN recordings ON recordings.id = outputs.recording_id
WHERE recordings.inbox = :inbox AND recordings.state = 'failed' AND outputs.format = 'failure'
  AND outputs.written_at IS NOT NULL

-- attempts_of_job: what was tried
SELECT number, recogniser, started_at, ended_at, error_code, error_message, evidence FROM attempts
WHERE job_id = :job ORDER BY id

-- queue_counts: how many jobs are in each state
SELECT jobs.state, count(*) AS jobs FROM jobs
WHERE jobs.state NOT IN ('queued', 'running', 'withdrawn')
   OR EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')
GROUP BY jobs.state

-- count_queued: how many jobs somebody waits for
SELECT count(*) AS jobs FROM jobs WHERE state = 'queued'
  AND EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')

-- inbox_counts: how many recordings of each inbox are in each state
SELECT inbox, state, count(*) AS recordings FROM recordings WHERE state <> 'superseded' GROUP BY inbox, state

-- recent_errors: what went wrong last
SELECT recordings.id, recordings.inbox, recordings.path, recordings.state, recordings.problem,
    jobs.state AS job_state, jobs.error_code, jobs.error_message, jobs.finished_at
FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.state <> 'superseded' AND recordings.state <> 'gone'
  AND (jobs.error_code IS NOT NULL OR recordings.problem IS NOT NULL)
ORDER BY coalesce(jobs.finished_at, recordings.found_at) DESC LIMIT :limit

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

-- search: passages of the newest recordings that hold all the terms: those with all, or the best for each term
WITH said AS (
    SELECT segments.job_id, segments.id, terms.key AS term
    FROM json_each(:terms) AS terms CROSS JOIN segments_fts JOIN segments ON segments.id = segments_fts.rowid
    WHERE segments_fts MATCH terms.value
), whole AS (
    SELECT job_id FROM said GROUP BY job_id HAVING count(DISTINCT term) = json_array_length(:terms)
), passages AS (
    SELECT said.job_id, said.id, said.term, words,
        row_number() OVER (PARTITION BY said.job_id, said.term ORDER BY words DESC, said.id) AS place,
        max(words) OVER (PARTITION BY said.job_id) AS most
    FROM said JOIN (SELECT id, count(*) AS words FROM said GROUP BY id) AS counted ON counted.id = said.id
    WHERE said.job_id IN (SELECT job_id FROM whole)
)
SELECT recordings.id AS recording, recordings.inbox, recordings.name, segments.start_ms, segments.end_ms, segments.text,
    recordings.path
FROM segments JOIN recordings ON recordings.job_id = segments.job_id AND recordings.state IN ('done', 'waiting')
WHERE segments.id IN (
    SELECT id FROM passages
    WHERE words = json_array_length(:terms) OR (place = 1 AND most < json_array_length(:terms))
) AND (:inboxes IS NULL OR recordings.inbox IN (SELECT value FROM json_each(:inboxes)))
ORDER BY recordings.id DESC, segments.start_ms LIMIT :limit

-- jobs_by_outcome: ended jobs of a state, optionally of one failure class
SELECT id FROM jobs WHERE state = :state AND (:code IS NULL OR error_code = :code)

-- get_setting: what outlives a restart
SELECT value FROM settings WHERE key = :key

-- set_setting: what outlives a restart
INSERT INTO settings (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- oldest_queued: since when the first in line has been waiting
SELECT min(queued_at) AS queued_at FROM jobs
WHERE state = 'queued'
  AND EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')

-- failures_by_class: how much work has failed for good, by class
SELECT error_code, count(*) AS jobs FROM jobs WHERE state IN ('failed', 'quarantined') GROUP BY error_code

-- expirable_tokens: work that ended in a span of time, whose files are written
SELECT id FROM jobs
WHERE finished_at >= :since AND finished_at < :before AND state = 'done'
  AND NOT EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')
ORDER BY finished_at

-- drop_tokens: forget the times of single words
UPDATE segments SET tokens = '[]' WHERE job_id = :job AND tokens <> '[]'

-- drop_evidence: forget what failed attempts left behind
UPDATE attempts SET evidence = NULL WHERE ended_at < :before AND evidence IS NOT NULL

-- page_count: the size of the history, in pages
PRAGMA page_count

-- free_pages: how many of them hold nothing
PRAGMA freelist_count

-- page_size: bytes
PRAGMA page_size

-- settings: everything that outlives a restart
SELECT key, value FROM settings

-- work_ahead: pieces of work that are queued or in work, with one of the files that wait for them
SELECT jobs.id AS job, recordings.name, recordings.size_bytes FROM jobs
JOIN recordings ON recordings.job_id = jobs.id AND recordings.state = 'waiting'
WHERE jobs.state IN ('queued', 'running') GROUP BY jobs.id

-- work_done: what was finished last, with one of its files
SELECT recordings.name, recordings.size_bytes, jobs.duration_ms, jobs.started_at, jobs.finished_at FROM jobs
JOIN recordings ON recordings.id = (SELECT min(id) FROM recordings WHERE job_id = jobs.id)
WHERE jobs.state = 'done' AND jobs.duration_ms > 0 AND jobs.started_at IS NOT NULL AND jobs.finished_at IS NOT NULL
ORDER BY jobs.finished_at DESC LIMIT :limit

-- insert_access: somebody may use the gateway
INSERT INTO accesses (name, token_sha256, inboxes, rights, created_at)
VALUES (:name, :token_sha256, :inboxes, :rights, :now)

-- get_access: by name
SELECT * FROM accesses WHERE name = :name

-- accesses: everybody who may
SELECT * FROM accesses ORDER BY name

-- delete_access: with its log-ins
DELETE FROM accesses WHERE name = :name

-- use_access: it was used
UPDATE accesses SET used_at = :now WHERE name = :name

-- access_of_token: whose token that is
SELECT * FROM accesses WHERE token_sha256 = :sha256

-- access_of_secret: whose token, or whose log-in that lasts still
SELECT accesses.* FROM accesses WHERE token_sha256 = :sha256
UNION ALL
SELECT accesses.* FROM log_ins JOIN accesses ON accesses.name = log_ins.access
WHERE secret_sha256 = :sha256 AND expires_at > :now
LIMIT 1

-- insert_log_in: a browser's session
INSERT INTO log_ins (secret_sha256, access, created_at, expires_at) VALUES (:sha256, :name, :now, :expires_at)

-- delete_log_in: it was ended
DELETE FROM log_ins WHERE secret_sha256 = :sha256

-- drop_old_log_ins: those that last no more
DELETE FROM log_ins WHERE expires_at <= :now
