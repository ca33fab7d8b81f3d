-- Trying hotwords on a part of a recording: rows that are there while somebody waits for them. Every statement by name, named parameters throughout.

-- trials: what was tried below a folder, given as the range of its paths
SELECT recordings.id, recordings.job_id, recordings.path, jobs.state FROM recordings
LEFT JOIN jobs ON jobs.id = recordings.job_id
WHERE recordings.inbox = '' AND recordings.path >= :low AND recordings.path < :high

-- delete_trial: nobody waits for it any more
DELETE FROM recordings WHERE id = :recording

-- others_of_trial: somebody else's file that is the same work
SELECT 1 FROM recordings WHERE job_id = :job LIMIT 1

-- delete_trial_job: the work, its attempts with it
DELETE FROM jobs WHERE id = :job

-- drop_unused_profile: one that no work was asked for with
DELETE FROM profiles WHERE digest = :digest AND digest NOT IN (SELECT profile_digest FROM jobs)

-- keep_list_no_longer: a list stays for good only where a file of the command line asked for it
UPDATE hotword_lists SET for_good = 0 WHERE digest = :digest AND NOT EXISTS (
    SELECT 1 FROM recordings JOIN jobs ON jobs.id = recordings.job_id
    JOIN profiles ON profiles.digest = jobs.profile_digest
    WHERE recordings.inbox = '' AND profiles.list_digest = :digest)

-- list_of_profile: which hotword list a profile names
SELECT list_digest FROM profiles WHERE digest = :digest
