-- Files and what became of them. Every statement by name, named parameters throughout.

-- current_recording: the row that stands for a path now, in the share or on the command line
SELECT * FROM recordings WHERE path = :path AND state <> 'superseded' AND (inbox = '') = (:inbox = '')

-- insert_recording: a file was found, settled and hashed
INSERT INTO recordings (inbox, path, name, size_bytes, mtime_ns, inode, device, job_id, state, problem, found_at)
VALUES (:inbox, :path, :name, :size_bytes, :mtime_ns, :inode, :device, :job, :state, :problem, :now)
RETURNING id

-- supersede_recording: another content lies at its path now
UPDATE recordings SET state = 'superseded' WHERE id = :recording

-- supersede_at: what lay at a path before lies there no more
UPDATE recordings SET state = 'superseded'
WHERE path = :path AND inbox <> '' AND id <> :recording AND state <> 'superseded'

-- inherit_outputs: the new version of a recording owns the files of the old one
UPDATE outputs SET recording_id = :new WHERE recording_id = :old

-- update_recording: the same path again: how it looks now and what work it belongs to
UPDATE recordings SET size_bytes = :size_bytes, mtime_ns = :mtime_ns, inode = :inode, device = :device,
    job_id = :job, state = :state, problem = :problem, inbox = :inbox,
    forgotten_at = CASE WHEN :state = 'waiting' THEN NULL ELSE forgotten_at END
WHERE id = :recording

-- moved_from: recordings of a content that may lie elsewhere now, newest first; those given up had failed
SELECT recordings.*, jobs.sha256, jobs.profile_digest, jobs.state AS job_state, jobs.attempts,
    jobs.duration_ms, jobs.model_name, jobs.model_is_builtin, jobs.device AS job_device, jobs.precision, jobs.flags, jobs.speakers,
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
UPDATE recordings SET state = :state, problem = :problem, written_at = coalesce(:written_at, written_at),
    forgotten_at = CASE WHEN :state = 'waiting' THEN NULL ELSE forgotten_at END
WHERE id = :recording

-- set_recording_problem: its transcript cannot be written at present
UPDATE recordings SET problem = :problem WHERE id = :recording

-- set_sent_to: a program sent it, for that inbox's department
UPDATE recordings SET sent_to = :inbox WHERE id = :recording

-- rebind_recording: a waiting recording belongs to another piece of work now
UPDATE recordings SET job_id = :job WHERE id = :recording

-- transcribed_recordings: finished files of an inbox with their work
SELECT recordings.*, jobs.sha256, jobs.profile_digest, jobs.state AS job_state, jobs.attempts,
    jobs.duration_ms, jobs.model_name, jobs.model_is_builtin, jobs.device AS job_device, jobs.precision, jobs.flags, jobs.speakers,
    jobs.timings_ms, jobs.error_code, jobs.error_message, jobs.queued_at, jobs.started_at, jobs.finished_at,
    profiles.profile
FROM recordings JOIN jobs ON jobs.id = recordings.job_id JOIN profiles ON profiles.digest = jobs.profile_digest
WHERE recordings.inbox = :inbox AND recordings.state = 'done' AND recordings.archived_at IS NULL
ORDER BY recordings.id

-- wake_recordings: its files wait again
UPDATE recordings SET state = 'waiting', problem = NULL
WHERE job_id = :job AND state IN ('done', 'failed', 'waiting') AND archived_at IS NULL

-- wake_held: transcripts that an older release wrote into the fall-back folder, and called done, are awaited still
UPDATE recordings SET state = 'waiting'
WHERE state = 'done' AND problem IS NOT NULL AND archived_at IS NULL AND inbox <> ''

-- undelivered: files whose work has ended, but which do not have their transcript yet
SELECT recordings.* FROM recordings JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.state = 'waiting' AND jobs.state IN ('done', 'failed', 'quarantined')
  AND (jobs.state <> 'done' OR jobs.speakers IS NOT 'due')  -- who says it comes first
ORDER BY recordings.id

-- undelivered_of_job: files that wait for that job
SELECT * FROM recordings WHERE job_id = :job AND state = 'waiting'
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = :job AND jobs.state = 'done' AND jobs.speakers = 'due')
ORDER BY id

-- done_recordings_of_job: files whose transcripts are written
SELECT id FROM recordings WHERE job_id = :job AND state = 'done' ORDER BY id

-- get_recording: one file with its work
SELECT recordings.*, jobs.sha256, jobs.profile_digest, jobs.state AS job_state, jobs.attempts,
    jobs.duration_ms, jobs.model_name, jobs.model_is_builtin, jobs.device AS job_device, jobs.precision, jobs.flags, jobs.speakers,
    jobs.timings_ms, jobs.error_code, jobs.error_message, jobs.queued_at, jobs.started_at, jobs.finished_at,
    profiles.profile
FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
LEFT JOIN profiles ON profiles.digest = jobs.profile_digest
WHERE recordings.id = :recording

-- archivable: finished files of inboxes that have an archive; what is to be written anew is written first
SELECT * FROM recordings
INDEXED BY recordings_to_archive  -- else those that lie in the archive are read, too, every other second
WHERE state = 'done' AND archived_at IS NULL AND job_id IS NOT NULL AND revision = written_revision
  AND inbox IN (SELECT value FROM json_each(:inboxes))
ORDER BY id

-- archive_recording: it lies in the archive
UPDATE recordings SET archived_at = :now, path = coalesce(:path, path) WHERE id = :recording
