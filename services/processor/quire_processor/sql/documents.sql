-- name: upsert
INSERT INTO document AS mine (file_id, batch_id, collection_id, run_id, attempt, filename, file_size, sha256, page_count, title,
                              metadata, truncated, characters, processed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb, $12, $13, $14)
ON CONFLICT (file_id) DO UPDATE
SET run_id = excluded.run_id, attempt = excluded.attempt, page_count = excluded.page_count, title = excluded.title,
    metadata = excluded.metadata, truncated = excluded.truncated, characters = excluded.characters,
    processed_at = excluded.processed_at
WHERE mine.attempt <= excluded.attempt
RETURNING file_id;

-- name: delete_pages
DELETE FROM page WHERE file_id = $1;

-- name: delete
DELETE FROM document WHERE file_id = ANY($1::uuid[]) AND attempt <= $2;

-- name: remember
INSERT INTO finished_batch AS known (batch_id, generation, status, finished_at, state)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::timestamptz[], $5::bytea[])
ON CONFLICT (batch_id) DO UPDATE
SET generation = excluded.generation, status = excluded.status, finished_at = excluded.finished_at, state = excluded.state
WHERE known.generation < excluded.generation;

-- name: recall
SELECT state FROM finished_batch WHERE batch_id = ANY($1::uuid[]);
