-- What people corrected. Every statement by name, named parameters throughout.

-- corrected_of: the corrected stretches of a recording, those that are not placed last
SELECT * FROM corrected WHERE recording_id = :recording ORDER BY first IS NULL, first, id

-- passages_of: the segments in force of a corrected stretch
SELECT * FROM passages WHERE corrected_id = :corrected ORDER BY id

-- insert_corrected: a stretch is corrected
INSERT INTO corrected (recording_id, first, last, said) VALUES (:recording, :first, :last, :said) RETURNING id

-- insert_passage: a segment in force
INSERT INTO passages (corrected_id, start_ms, end_ms, raw_start, raw_end, text, speaker, is_by_hand)
VALUES (:corrected, :start_ms, :end_ms, :raw_start, :raw_end, :text, :speaker, :is_by_hand) RETURNING id

-- index_passage: its words can be searched, beside those of segments, under a number that none of them has
INSERT OR REPLACE INTO segments_fts (rowid, body) VALUES (1099511627776 + :passage, :body)

-- unindex_passages: the words of a corrected stretch
DELETE FROM segments_fts
WHERE rowid IN (SELECT 1099511627776 + passages.id FROM passages WHERE corrected_id = :corrected)

-- delete_corrected: a stretch stands as it was recognised, or is corrected anew
DELETE FROM corrected WHERE id = :corrected

-- insert_correction: what was done
INSERT INTO corrections (recording_id, revision, kind, who, made_at, before, after, start_ms, before_text, after_text)
VALUES (:recording, :revision, :kind, :who, :now, :before, :after, :start_ms, :before_text, :after_text)
RETURNING id

-- set_revision: of a recording's text
UPDATE recordings SET revision = :revision WHERE id = :recording

-- set_written_revision: what its files say
UPDATE recordings SET written_revision = max(written_revision, :revision) WHERE id = :recording

-- revisions: how often a recording's text was corrected, and what its files say
SELECT revision, written_revision, forgotten_at FROM recordings WHERE id = :recording

-- to_rewrite: written recordings whose files say less than their text in force
SELECT id FROM recordings WHERE revision <> written_revision AND state = 'done' AND archived_at IS NULL ORDER BY id

-- corrections_of: what was done to a recording, newest first
SELECT * FROM corrections WHERE recording_id = :recording AND revision > :since ORDER BY revision DESC LIMIT :limit

-- last_to_undo: the newest step that was not undone
SELECT * FROM corrections
WHERE recording_id = :recording AND undone_by IS NULL AND kind <> 'undo' ORDER BY revision DESC LIMIT 1

-- mark_undone: a step was undone
UPDATE corrections SET undone_by = :by WHERE id = :correction

-- same_content: whether two pieces of work are of one content
SELECT 1 FROM jobs AS one JOIN jobs AS other ON other.sha256 = one.sha256 WHERE one.id = :one AND other.id = :other

-- inherit_corrections: the same content under another recording's number
UPDATE corrections SET recording_id = :new WHERE recording_id = :old

-- inherit_corrected: the same content under another recording's number
UPDATE corrected SET recording_id = :new WHERE recording_id = :old

-- inherit_revision: the same content under another recording's number
UPDATE recordings SET revision = (SELECT revision FROM recordings AS other WHERE other.id = :old) WHERE id = :new

-- text_corrections: texts that people wrote in an inbox, newest first
SELECT corrections.recording_id, corrections.start_ms, corrections.before_text, corrections.after_text
FROM corrections JOIN recordings ON recordings.id = corrections.recording_id
WHERE recordings.inbox = :inbox AND corrections.kind = 'text' AND corrections.undone_by IS NULL
ORDER BY corrections.id DESC LIMIT :limit

-- any_corrected: whether any recording was corrected
SELECT 1 FROM recordings INDEXED BY recordings_corrected WHERE revision > 0 LIMIT 1

-- search_corrected: passages of corrected recordings that hold all the terms: those with all, or the best for each
WITH hits AS (
    SELECT segments_fts.rowid AS number, terms.key AS term
    FROM json_each(:terms) AS terms CROSS JOIN segments_fts WHERE segments_fts MATCH terms.value
), said AS (
    SELECT recordings.id AS recording, segments.id AS id, 0 AS is_corrected, hits.term, segments.start_ms,
        segments.end_ms, segments.text
    FROM hits JOIN segments ON segments.id = hits.number
    JOIN recordings ON recordings.job_id = segments.job_id AND recordings.revision > 0
    WHERE NOT EXISTS (
        SELECT 1 FROM corrected WHERE corrected.recording_id = recordings.id AND corrected.first IS NOT NULL
        AND segments.number BETWEEN corrected.first AND corrected.last)  -- numbers follow time
    UNION ALL
    SELECT corrected.recording_id, passages.id, 1, hits.term, passages.start_ms, passages.end_ms, passages.text
    FROM hits JOIN passages ON passages.id = hits.number - 1099511627776
    JOIN corrected ON corrected.id = passages.corrected_id AND corrected.first IS NOT NULL
), whole AS (
    SELECT recording FROM said GROUP BY recording HAVING count(DISTINCT term) = json_array_length(:terms)
), counted AS (
    SELECT recording, id, is_corrected, count(*) AS words FROM said GROUP BY 1, 2, 3
), placed AS (
    SELECT said.*, words, row_number() OVER (PARTITION BY said.recording, said.term
            ORDER BY words DESC, said.is_corrected DESC, said.id) AS place,
        max(words) OVER (PARTITION BY said.recording) AS most
    FROM said JOIN counted USING (recording, id, is_corrected) WHERE said.recording IN (SELECT recording FROM whole)
)
SELECT DISTINCT recordings.id AS recording, recordings.inbox, recordings.name, placed.start_ms, placed.end_ms,
    placed.text, recordings.path
FROM placed JOIN recordings ON recordings.id = placed.recording AND recordings.state IN ('done', 'waiting')
WHERE (words = json_array_length(:terms) OR (place = 1 AND most < json_array_length(:terms)))
  AND (:inboxes IS NULL OR recordings.inbox IN (SELECT value FROM json_each(:inboxes)))
ORDER BY recordings.id DESC, placed.start_ms LIMIT :limit
