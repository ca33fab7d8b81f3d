-- Who says it: voices, turns, names, and whom inboxes know. Every statement by name, named parameters throughout.

-- save_voice: a segment's windows
INSERT OR REPLACE INTO voices (job_id, number, model, windows) VALUES (:job, :number, :model, :windows)

-- delete_voices: the voices of a job that begins anew, or whose time is over
DELETE FROM voices WHERE job_id = :job

-- delete_surplus_voices: those of segments that an earlier try found and this one did not
DELETE FROM voices WHERE job_id = :job AND number >= :count

-- voice_models: whose embeddings a job has, most of them first
SELECT model, sum(length(windows)) AS bytes FROM voices WHERE job_id = :job GROUP BY model ORDER BY bytes DESC, model

-- voices_after: a page of a job's windows
SELECT number, windows FROM voices WHERE job_id = :job AND model = :model AND number > :after ORDER BY number LIMIT :limit

-- due_speakers: jobs whose text is there, and whose speakers are still to be told apart
SELECT id FROM jobs WHERE speakers = 'due' ORDER BY id

-- set_speakers_state: how telling speakers apart stands
UPDATE jobs SET speakers = :state WHERE id = :job

-- want_speakers: so many were asked for by a person
UPDATE jobs SET speakers_wanted = :wanted WHERE id = :job

-- speakers_of_job: how that stands, and what is asked for
SELECT jobs.speakers, jobs.speakers_wanted, profiles.profile FROM jobs
JOIN profiles ON profiles.digest = jobs.profile_digest WHERE jobs.id = :job

-- job_inboxes: where the recordings of a job lie
SELECT DISTINCT inbox FROM recordings WHERE job_id = :job AND state <> 'superseded' ORDER BY inbox

-- delete_turns: a job's turns, to be found anew
DELETE FROM turns WHERE job_id = :job

-- insert_turn: who speaks when
INSERT INTO turns (job_id, start_ms, end_ms, speaker, is_overlapped)
VALUES (:job, :start_ms, :end_ms, :speaker, :is_overlapped)

-- job_turns: who speaks when, in order
SELECT start_ms, end_ms, speaker, is_overlapped FROM turns WHERE job_id = :job ORDER BY start_ms, end_ms, id

-- delete_speakers: a job's speakers, to be found anew
DELETE FROM speakers WHERE job_id = :job

-- insert_speaker: one who says a word
INSERT INTO speakers (job_id, speaker, number, speech_ms, voice_ms, model, voice)
VALUES (:job, :speaker, :number, :speech_ms, :voice_ms, :model, :voice)

-- job_speakers: who says something, in order of first word, by the names of an inbox
SELECT speakers.speaker, number, speech_ms, voice_ms, speakers.model, speakers.voice, speaker_names.name, speaker_names.is_by_hand
FROM speakers LEFT JOIN speaker_names ON speaker_names.job_id = speakers.job_id
    AND speaker_names.speaker = speakers.speaker AND speaker_names.inbox = :inbox
WHERE speakers.job_id = :job ORDER BY number

-- forget_job_voices: the mean voices of a job's speakers
UPDATE speakers SET voice = NULL WHERE job_id = :job

-- names_by_hand: what people called a job's speakers
SELECT inbox, name, model, voice FROM speaker_names
WHERE job_id = :job AND is_by_hand = 1 AND voice IS NOT NULL ORDER BY inbox, speaker

-- delete_names: a job's names, to be found anew
DELETE FROM speaker_names WHERE job_id = :job

-- delete_names_in: those of one inbox that no person gave
DELETE FROM speaker_names WHERE job_id = :job AND inbox = :inbox AND is_by_hand = 0

-- set_name: whom an inbox calls so
INSERT INTO speaker_names (job_id, inbox, speaker, name, is_by_hand, model, voice)
VALUES (:job, :inbox, :speaker, :name, :is_by_hand, :model, :voice)
ON CONFLICT (job_id, inbox, speaker) DO UPDATE SET name = excluded.name, is_by_hand = excluded.is_by_hand,
    model = excluded.model, voice = excluded.voice

-- forget_named_voices: the voices of those whom a person named
UPDATE speaker_names SET voice = NULL WHERE job_id = :job

-- delete_name: nobody knows who it is
DELETE FROM speaker_names WHERE job_id = :job AND inbox = :inbox AND speaker = :speaker

-- is_named: whether an inbox's people were looked for
SELECT 1 FROM named_inboxes WHERE job_id = :job AND inbox = :inbox

-- mark_named: an inbox's people were looked for
INSERT OR IGNORE INTO named_inboxes (job_id, inbox) VALUES (:job, :inbox)

-- delete_named: all of them are to be looked for again
DELETE FROM named_inboxes WHERE job_id = :job

-- insert_enrolment: an inbox knows a voice
INSERT INTO enrolments (inbox, name, model, voice, source, sample, created_at)
VALUES (:inbox, :name, :model, :voice, :source, :sample, :now)

-- enrolments: whom an inbox knows (NULL: all inboxes), each voice a row
SELECT id, inbox, name, model, voice, source, sample, created_at FROM enrolments
WHERE :inbox IS NULL OR inbox = :inbox ORDER BY inbox, name, id

-- delete_enrolment: one of a person's voices
DELETE FROM enrolments WHERE id = :id

-- delete_person: all that is known of a person's voice
DELETE FROM enrolments WHERE inbox = :inbox AND name = :name

-- expirable_voices: work that ended before, whose voices are kept still
SELECT DISTINCT jobs.id FROM jobs JOIN voices ON voices.job_id = jobs.id
WHERE jobs.finished_at < :before AND jobs.state = 'done' AND jobs.speakers IS NOT 'due'
UNION SELECT jobs.id FROM jobs JOIN speakers ON speakers.job_id = jobs.id
WHERE jobs.finished_at < :before AND jobs.state = 'done' AND jobs.speakers IS NOT 'due' AND speakers.voice IS NOT NULL
ORDER BY 1
