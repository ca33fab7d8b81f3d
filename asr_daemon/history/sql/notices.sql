-- Messages that are to be sent, and what became of them. Every statement by name, named parameters throughout.

-- announce_recording: a recording is about to be done or failed, for everybody who wants to hear of it
INSERT INTO notices (uid, target, event, subject, inbox, recording_id, code, problem, problem_zh, state, created_at)
SELECT 'msg_' || lower(hex(randomblob(16))), notice_targets.name, told.event, 'recording ' || told.id, told.inbox, told.id,
    told.code, told.problem, '', 'waiting', :now
FROM notice_targets, (
    SELECT recordings.id, recordings.inbox,
        CASE WHEN :state = 'done' THEN 'done' WHEN jobs.state = 'quarantined' THEN 'quarantined' ELSE 'failed' END AS event,
        CASE WHEN :state = 'done' THEN '' ELSE coalesce(jobs.error_code, '') END AS code,
        CASE WHEN :state = 'done' THEN '' ELSE :problem END AS problem
    FROM recordings LEFT JOIN jobs ON jobs.id = recordings.job_id
    WHERE recordings.id = :recording AND recordings.inbox <> '' AND (:is_new OR recordings.state <> :state)
) AS told
WHERE told.event IN (SELECT value FROM json_each(notice_targets.events))
  AND (notice_targets.inboxes = '[]' OR told.inbox IN (SELECT value FROM json_each(notice_targets.inboxes)))

-- announce_event: something else happened, for everybody who wants to hear of it
INSERT INTO notices (uid, target, event, subject, inbox, code, problem, problem_zh, state, created_at)
SELECT 'msg_' || lower(hex(randomblob(16))), name, :event, :subject, :inbox, '', :problem, :problem_zh, 'waiting', :now
FROM notice_targets
WHERE :event IN (SELECT value FROM json_each(events))
  AND (:inbox = '' OR inboxes = '[]' OR :inbox IN (SELECT value FROM json_each(inboxes)))

-- announce_test: somebody tries whether messages arrive
INSERT INTO notices (uid, target, event, subject, inbox, code, problem, problem_zh, state, created_at)
VALUES ('msg_' || lower(hex(randomblob(16))), :target, 'test', 'test', '', '', '', '', 'waiting', :now)
RETURNING id

-- notice_targets: who wants to hear of what
SELECT name, events, inboxes FROM notice_targets ORDER BY name

-- forget_notice_targets: before those of another configuration are written
DELETE FROM notice_targets

-- add_notice_target: one of the configuration
INSERT INTO notice_targets (name, events, inboxes) VALUES (:name, :events, :inboxes)

-- give_up_strangers: nobody of that name is configured any more
UPDATE notices SET state = 'given_up', ended_at = :now, said = :said
WHERE state = 'waiting' AND target NOT IN (SELECT name FROM notice_targets)

-- test_notice: what somebody waits for at a screen
SELECT * FROM notices WHERE target = :target AND state = 'waiting' AND event = 'test' ORDER BY id LIMIT 1

-- due_batch: what was tried, and is to be tried again now
SELECT batch FROM notices
WHERE target = :target AND state = 'waiting' AND batch IS NOT NULL AND event <> 'test'
  AND (due_at IS NULL OR due_at <= :now)
ORDER BY id LIMIT 1

-- next_batch_due: when one is to be tried again
SELECT min(due_at) AS due_at FROM notices
WHERE target = :target AND state = 'waiting' AND batch IS NOT NULL AND due_at IS NOT NULL

-- batch_notices: what is sent together
SELECT * FROM notices WHERE batch = :batch AND state = 'waiting' ORDER BY id

-- fresh_notices: what was not tried yet, but for what has to wait for an earlier message of its subject
SELECT * FROM notices WHERE target = :target AND state = 'waiting' AND batch IS NULL AND event <> 'test'
  AND NOT EXISTS (
    SELECT 1 FROM notices AS earlier
    WHERE earlier.target = notices.target AND earlier.subject = notices.subject AND earlier.state = 'waiting'
      AND earlier.batch IS NOT NULL AND earlier.id < notices.id)
ORDER BY id LIMIT :limit

-- begin_batch: these are sent together from now on
UPDATE notices SET batch = :batch WHERE id IN (SELECT value FROM json_each(:notices))

-- end_notices: they were sent, or given up
UPDATE notices SET state = :state, attempts = attempts + 1, first_tried_at = coalesce(first_tried_at, :now),
    ended_at = :now, said = :said, due_at = NULL
WHERE batch = :batch AND state = 'waiting'

-- hurry_notices: their receiver was away and is back
UPDATE notices SET due_at = NULL
WHERE state = 'waiting' AND due_at IS NOT NULL AND target = (SELECT target FROM notices WHERE batch = :batch LIMIT 1)

-- put_off_notices: they are tried again later
UPDATE notices SET attempts = attempts + 1, first_tried_at = coalesce(first_tried_at, :now), due_at = :due_at,
    said = :said
WHERE batch = :batch AND state = 'waiting'

-- give_up_notice: nobody waits for it any more
UPDATE notices SET state = 'given_up', ended_at = :now, said = :said WHERE id = :notice AND state = 'waiting'

-- get_notice: one of them
SELECT * FROM notices WHERE id = :notice

-- revive_notices: those that were given up are tried again: these, or all of them
UPDATE notices SET state = 'waiting', attempts = 0, first_tried_at = NULL, due_at = NULL, ended_at = NULL,
    batch = NULL
WHERE state = 'given_up' AND event <> 'test' AND target IN (SELECT name FROM notice_targets)
  AND (:notices = '[]' OR id IN (SELECT value FROM json_each(:notices)))

-- notice_counts: how the messages of each receiver stand; tests are nobody's business afterwards
SELECT target, state, count(*) AS notices, min(created_at) AS oldest, max(ended_at) AS newest, max(attempts) AS attempts
FROM notices WHERE event <> 'test' GROUP BY target, state

-- notice_troubles: what receivers said of those that were tried and wait
SELECT target, said, max(id) FROM notices WHERE state = 'waiting' AND said <> '' GROUP BY target

-- listed_notices: those that wait or were given up, oldest first; with the name of the recording
SELECT notices.*, recordings.path FROM notices LEFT JOIN recordings ON recordings.id = notices.recording_id
WHERE notices.state IN (SELECT value FROM json_each(:states)) AND notices.event <> 'test'
ORDER BY notices.id LIMIT :limit

-- give_up_old_notices: nobody could send them for so long; news no more
UPDATE notices SET state = 'given_up', ended_at = :now, said = :said WHERE state = 'waiting' AND created_at < :before

-- expire_notices: forget what ended long ago
DELETE FROM notices WHERE state <> 'waiting' AND ended_at < :before
