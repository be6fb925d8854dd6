-- The files of an export in the order of the upload, after the place ($4, $5, $6, $7): those of a few batches ($8) at a time, which an
-- index gives in their order. Collections are bounded as in queries.sql; $3 is null, or the id of what is exported.

-- name: of_collection
SELECT f.id::text, f.collection_id, f.original_filename, f.file_size, f.processing_status, f.upload_progress, f.batch_id::text,
       f.created_at, f.updated_at, f.error_code, f.error_message, f.page_count, f.title, f.sha256, f.object_key, f.text_key,
       f.thumbnail_key, f.truncated, f.pages_read, f.characters, f.notices, f.path, f.position, f.started_at, f.duration_ms
FROM (
    SELECT created_at, batch_id FROM batch
    WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND collection_id = $2 AND $3::uuid IS NULL
      AND (created_at, batch_id) >= ($4::timestamptz, $5::uuid)
    ORDER BY created_at, batch_id LIMIT $8
) AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE (b.created_at, b.batch_id, f.position, f.id) > ($4, $5, $6::integer, $7::uuid)
ORDER BY b.created_at, b.batch_id, f.position, f.id;

-- name: of_request
SELECT f.id::text, f.collection_id, f.original_filename, f.file_size, f.processing_status, f.upload_progress, f.batch_id::text,
       f.created_at, f.updated_at, f.error_code, f.error_message, f.page_count, f.title, f.sha256, f.object_key, f.text_key,
       f.thumbnail_key, f.truncated, f.pages_read, f.characters, f.notices, f.path, f.position, f.started_at, f.duration_ms
FROM (
    SELECT created_at, batch_id FROM batch
    WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2) AND request_id = $3::uuid
      AND (created_at, batch_id) >= ($4::timestamptz, $5::uuid)
    ORDER BY created_at, batch_id LIMIT $8
) AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE (b.created_at, b.batch_id, f.position, f.id) > ($4, $5, $6::integer, $7::uuid)
ORDER BY b.created_at, b.batch_id, f.position, f.id;

-- name: of_batch
SELECT f.id::text, f.collection_id, f.original_filename, f.file_size, f.processing_status, f.upload_progress, f.batch_id::text,
       f.created_at, f.updated_at, f.error_code, f.error_message, f.page_count, f.title, f.sha256, f.object_key, f.text_key,
       f.thumbnail_key, f.truncated, f.pages_read, f.characters, f.notices, f.path, f.position, f.started_at, f.duration_ms
FROM (
    SELECT created_at, batch_id FROM batch
    WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2) AND batch_id = $3::uuid
      AND (created_at, batch_id) >= ($4::timestamptz, $5::uuid)
    ORDER BY created_at, batch_id LIMIT $8
) AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE (b.created_at, b.batch_id, f.position, f.id) > ($4, $5, $6::integer, $7::uuid)
ORDER BY b.created_at, b.batch_id, f.position, f.id;

-- name: names_request
SELECT name FROM request
WHERE request_id = $3::uuid AND ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
ORDER BY collection_id LIMIT 1;

-- name: names_batch
SELECT batch_id::text AS name FROM batch
WHERE batch_id = $3::uuid AND ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2);
