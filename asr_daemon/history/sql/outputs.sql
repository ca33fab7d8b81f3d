-- What was written beside recordings. Every statement by name, named parameters throughout.

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

-- move_output: a file of a recording was moved along with it
UPDATE OR IGNORE outputs SET path = :path, same_name = :same_name WHERE path = :before

-- failure_files: failed recordings of an inbox and the file that says so
SELECT recordings.id AS recording, recordings.job_id AS job, recordings.path AS path, outputs.path AS failure_path
FROM outputs JOIN recordings ON recordings.id = outputs.recording_id
WHERE recordings.inbox = :inbox AND recordings.state = 'failed' AND outputs.format = 'failure'
  AND outputs.written_at IS NOT NULL
