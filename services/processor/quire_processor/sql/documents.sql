-- Files in one statement: of each the columns of a document, how many pages come with it, and then of each page (file, attempt,
-- number, text). Pages beyond these are deleted. Whatever a later attempt has written stays.

-- name: insert
WITH mine AS (
    INSERT INTO document AS known (file_id, batch_id, collection_id, run_id, attempt, filename, file_size, sha256, page_count, title,
                                   metadata, truncated, characters, processed_at)
    SELECT file_id, batch_id, collection_id, run_id, attempt, filename, file_size, sha256, page_count, title, metadata::jsonb,
           truncated, characters, processed_at
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::integer[], $6::text[], $7::bigint[], $8::text[], $9::integer[],
                $10::text[], $11::text[], $12::boolean[], $13::bigint[], $14::timestamptz[])
         AS file (file_id, batch_id, collection_id, run_id, attempt, filename, file_size, sha256, page_count, title, metadata,
                  truncated, characters, processed_at)
    ORDER BY file_id
    ON CONFLICT (file_id) DO UPDATE
    SET run_id = excluded.run_id, attempt = excluded.attempt, page_count = excluded.page_count, title = excluded.title,
        metadata = excluded.metadata, truncated = excluded.truncated, characters = excluded.characters,
        processed_at = excluded.processed_at
    WHERE known.attempt <= excluded.attempt
    RETURNING file_id
), shorter AS (
    DELETE FROM page USING mine JOIN unnest($1::uuid[], $15::integer[]) AS file (file_id, pages) USING (file_id)
    WHERE page.file_id = mine.file_id AND page.page > file.pages
), written AS (
    INSERT INTO page (file_id, attempt, page, text)
    SELECT file_id, attempt, number, text
    FROM unnest($16::uuid[], $17::integer[], $18::integer[], $19::text[]) AS new (file_id, attempt, number, text) JOIN mine USING (file_id)
    ON CONFLICT (file_id, page) DO UPDATE SET attempt = excluded.attempt, text = excluded.text
)
SELECT file_id FROM mine;

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
