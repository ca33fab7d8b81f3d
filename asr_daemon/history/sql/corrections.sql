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

-- to_rewrite: written recordings whose files say less than their text in force; asked every second: by their own index
SELECT id FROM recordings INDEXED BY recordings_to_rewrite WHERE revision <> written_revision AND state = 'done' ORDER BY id

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
