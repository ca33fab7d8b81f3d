-- Whose turn it is: the queue's index (queue/line.py) and what inboxes got. Every statement by name, named parameters throughout.

-- line_unplace: every place is to be found anew
UPDATE queue_line SET turn_at = NULL

-- line_unplaced: what came since places were found last
SELECT queue_line.recording_id, queue_line.inbox, queue_line.size_bytes, recordings.name, jobs.queued_at, jobs.charged_ms
FROM queue_line INDEXED BY queue_line_unplaced
JOIN recordings ON recordings.id = queue_line.recording_id JOIN jobs ON jobs.id = queue_line.job_id
WHERE queue_line.turn_at IS NULL

-- line_place: where in its line a recording is
UPDATE queue_line SET expected_ms = :expected_ms, turn_at = :turn_at WHERE recording_id = :recording

-- line_inboxes: the inboxes that have something in their line, without reading all of it
WITH RECURSIVE lanes (urged, inbox) AS (
    SELECT column1, (SELECT min(inbox) FROM queue_line WHERE is_urged = column1) FROM (VALUES (0), (1))
    UNION ALL
    SELECT urged, (SELECT min(inbox) FROM queue_line WHERE is_urged = urged AND inbox > lanes.inbox) FROM lanes
    WHERE lanes.inbox IS NOT NULL
)
SELECT DISTINCT inbox FROM lanes WHERE inbox IS NOT NULL

-- line_first: the first of each inbox that may be begun
WITH RECURSIVE lanes (inbox) AS (
    SELECT min(inbox) FROM queue_line WHERE is_urged = :urged
    UNION ALL
    SELECT (SELECT min(inbox) FROM queue_line WHERE is_urged = :urged AND inbox > lanes.inbox) FROM lanes
    WHERE lanes.inbox IS NOT NULL
)
SELECT queue_line.recording_id, queue_line.job_id, queue_line.inbox, queue_line.expected_ms, queue_line.turn_at
FROM lanes CROSS JOIN queue_line
WHERE lanes.inbox IS NOT NULL AND lanes.inbox NOT IN (SELECT value FROM json_each(:closed))
  AND queue_line.recording_id IN (
    SELECT line.recording_id FROM queue_line AS line INDEXED BY queue_line_in_order CROSS JOIN jobs ON jobs.id = line.job_id
    WHERE line.is_urged = :urged AND line.inbox = lanes.inbox
      AND line.size_bytes > :above_bytes AND (:most_bytes IS NULL OR line.size_bytes <= :most_bytes)
      AND line.lies_in NOT IN (SELECT value FROM json_each(:away))
      AND (jobs.not_before IS NULL OR jobs.not_before <= :now
           OR jobs.put_back_at > :now)  -- the clock was set back: half a minute must not become a day
      AND (:fresh_only = 0 OR jobs.is_suspect = 0)
    ORDER BY line.turn_at, line.recording_id LIMIT :limit)

-- line_overdue_suspect: a suspect that has been due since then, and that may be begun
SELECT queue_line.recording_id, queue_line.job_id, queue_line.inbox, queue_line.expected_ms, queue_line.turn_at
FROM jobs INDEXED BY jobs_suspect CROSS JOIN queue_line ON queue_line.job_id = jobs.id
WHERE jobs.state = 'queued' AND jobs.is_suspect = 1 AND jobs.not_before <= :before
  AND queue_line.size_bytes > :above_bytes AND (:most_bytes IS NULL OR queue_line.size_bytes <= :most_bytes)
  AND queue_line.lies_in NOT IN (SELECT value FROM json_each(:away))
  AND (queue_line.is_urged = 1 OR queue_line.inbox NOT IN (SELECT value FROM json_each(:closed)))
ORDER BY jobs.not_before LIMIT 1

-- line_of_inbox: the first in an inbox's line, whatever keeps them waiting; nobody waits for them at a screen
SELECT recording_id FROM queue_line INDEXED BY queue_line_in_order WHERE is_urged = 0 AND inbox = :inbox
ORDER BY turn_at, recording_id LIMIT :limit

-- line_again: what is tried again later
SELECT queue_line.recording_id, queue_line.inbox, jobs.not_before FROM queue_line JOIN jobs ON jobs.id = queue_line.job_id
WHERE jobs.not_before > :now ORDER BY jobs.not_before LIMIT :limit

-- accounts: what each inbox got
SELECT inbox, used_ms, used_at, clock_ms, rate FROM accounts

-- save_account: what an inbox got
INSERT INTO accounts (inbox, used_ms, used_at, clock_ms, rate) VALUES (:inbox, :used_ms, :used_at, :clock_ms, :rate)
ON CONFLICT (inbox) DO UPDATE SET used_ms = excluded.used_ms, used_at = excluded.used_at, clock_ms = excluded.clock_ms,
    rate = excluded.rate

-- in_work_ms: what is still to be recognised of what is in work, by the inbox for whose part it is
SELECT claimed_for AS inbox, sum(max(0, expected_ms - charged_ms)) AS expected_ms FROM jobs INDEXED BY jobs_by_state
WHERE state = 'running' AND claimed_for IS NOT NULL GROUP BY claimed_for

-- claim_for: for whose part a claimed job is, and how much more is expected of it
UPDATE jobs SET claimed_for = :inbox, expected_ms = charged_ms + :expected_ms WHERE id = :job

-- charge_job: so much of its sound is paid for
UPDATE jobs SET charged_ms = :until_ms WHERE id = :job AND charged_ms < :until_ms
RETURNING claimed_for

-- charged_of: how much of a job's sound is paid for
SELECT charged_ms, claimed_for FROM jobs WHERE id = :job

-- held_back: running jobs that nobody waits for at a screen, and whose files all lie in these inboxes (all: wherever)
SELECT jobs.id FROM jobs WHERE jobs.id IN (SELECT value FROM json_each(:jobs)) AND jobs.state = 'running'
  AND jobs.priority >= 0
  AND (:all OR NOT EXISTS (
    SELECT 1 FROM recordings WHERE recordings.job_id = jobs.id AND recordings.state = 'waiting'
    AND recordings.inbox NOT IN (SELECT value FROM json_each(:closed))))

-- queued_since: the oldest in each inbox's line, and whether somebody waits for it at a screen
SELECT queue_line.inbox, queue_line.is_urged, min(jobs.queued_at) AS queued_at
FROM queue_line JOIN jobs ON jobs.id = queue_line.job_id GROUP BY 1, 2

-- count_open: how many jobs may be begun by their hours
SELECT count(DISTINCT job_id) AS jobs FROM queue_line
WHERE is_urged = 1 OR inbox NOT IN (SELECT value FROM json_each(:closed))

-- usual_due: a job that may be begun by its hours, and that memory has sufficed for so far
SELECT 1 FROM queue_line CROSS JOIN jobs ON jobs.id = queue_line.job_id
WHERE (queue_line.is_urged = 1
       OR (:only_urged = 0 AND queue_line.inbox NOT IN (SELECT value FROM json_each(:closed))))
  AND queue_line.size_bytes > :above_bytes AND (:most_bytes IS NULL OR queue_line.size_bytes <= :most_bytes)
  AND jobs.memory_rung = 0 AND (jobs.not_before IS NULL OR jobs.not_before <= :now)
LIMIT 1
