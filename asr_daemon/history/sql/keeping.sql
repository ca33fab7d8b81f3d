-- Settings, and what the history forgets. Every statement by name, named parameters throughout.

-- get_setting: what outlives a restart
SELECT value FROM settings WHERE key = :key

-- set_setting: what outlives a restart
INSERT INTO settings (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- settings: everything that outlives a restart
SELECT key, value FROM settings

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
