-- What is recognised: profiles, hotword lists, jobs and their attempts. Every statement by name, named parameters throughout.

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

-- any_queued: whether anything that somebody waits for waits for its time
SELECT 1 FROM jobs WHERE state = 'queued'
  AND EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')
LIMIT 1

-- count_queued: how many jobs somebody waits for
SELECT count(*) AS jobs FROM jobs WHERE state = 'queued'
  AND EXISTS (SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting')

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
    error_code = NULL, error_message = NULL, not_before = NULL,
    speakers = (SELECT CASE WHEN json_extract(profile, '$.speaker_model') IS NOT NULL THEN 'due' END FROM profiles
                WHERE digest = jobs.profile_digest)
WHERE id = :job

-- interrupted_jobs: work that a stopped or killed daemon left behind
SELECT id, attempts FROM jobs
WHERE state = 'running' AND coalesce(claimed_by, '') NOT IN (SELECT value FROM json_each(:held))

-- reset_job: forget failures, begin anew
UPDATE jobs SET state = 'queued', attempts = 0, strikes = 0, is_suspect = 0, memory_rung = 0, not_before = NULL,
    charged_ms = 0, error_code = NULL, error_message = NULL, finished_at = NULL, queued_at = :now
WHERE id = :job

-- jobs_by_outcome: ended jobs of a state, optionally of one failure class
SELECT id FROM jobs WHERE state = :state AND (:code IS NULL OR error_code = :code)
