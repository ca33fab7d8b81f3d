-- What was said, and the index to search it by. Every statement by name, named parameters throughout.

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

-- first_texts: the written text of a job's segments from a number on, as far as they are recognised
SELECT number, text FROM segments WHERE job_id = :job AND raw_text IS NOT NULL AND number >= :first ORDER BY number

-- job_segments: the text of a job
SELECT * FROM segments WHERE job_id = :job AND raw_text IS NOT NULL ORDER BY start_ms, number

-- segments_at: what is said in a place that a search found
SELECT * FROM segments WHERE job_id = :job AND raw_text IS NOT NULL AND start_ms = :start_ms AND end_ms = :end_ms
ORDER BY number

-- segments_with_hotwords: where a job's text holds hotwords, and what was corrected there
SELECT raw_text, corrections, hotwords_hit FROM segments
WHERE job_id = :job AND raw_text IS NOT NULL AND hotwords_hit <> '[]' ORDER BY start_ms, number
