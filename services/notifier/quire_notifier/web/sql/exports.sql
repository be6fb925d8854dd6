-- The files of an export in the order of the upload, after the place ($4, $5, $6, $7). A statement returns the files of $8
-- batches at most, which an index gives in order. Collections are restricted as in queries.sql. $3 is the id of the request or
-- batch, the ids of the files, or null for a collection.

-- name: of_collection
SELECT {file}
FROM (
    SELECT created_at, batch_id FROM batch
    WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND collection_id = $2 AND $3::uuid IS NULL
      AND (created_at, batch_id) >= ($4::timestamptz, $5::uuid)
    ORDER BY created_at, batch_id LIMIT $8
) AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE (b.created_at, b.batch_id, f.position, f.id) > ($4, $5, $6::integer, $7::uuid)
ORDER BY b.created_at, b.batch_id, f.position, f.id;

-- name: of_request
SELECT {file}
FROM (
    SELECT created_at, batch_id FROM batch
    WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2) AND request_id = $3::uuid
      AND (created_at, batch_id) >= ($4::timestamptz, $5::uuid)
    ORDER BY created_at, batch_id LIMIT $8
) AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE (b.created_at, b.batch_id, f.position, f.id) > ($4, $5, $6::integer, $7::uuid)
ORDER BY b.created_at, b.batch_id, f.position, f.id;

-- name: of_batch
SELECT {file}
FROM (
    SELECT created_at, batch_id FROM batch
    WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2) AND batch_id = $3::uuid
      AND (created_at, batch_id) >= ($4::timestamptz, $5::uuid)
    ORDER BY created_at, batch_id LIMIT $8
) AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE (b.created_at, b.batch_id, f.position, f.id) > ($4, $5, $6::integer, $7::uuid)
ORDER BY b.created_at, b.batch_id, f.position, f.id;

-- name: of_files
-- Returns at most as many files as $8 batches can hold. MATERIALIZED makes the planner find the files by their ids.
WITH f AS MATERIALIZED (SELECT * FROM file_metadata WHERE id = ANY($3::uuid[]))
SELECT {file}
FROM f
WHERE ($1::text[] IS NULL OR f.collection_id = ANY($1)) AND ($2::text IS NULL OR f.collection_id = $2)
  AND (f.created_at, f.batch_id, f.position, f.id) > ($4::timestamptz, $5::uuid, $6::integer, $7::uuid)
ORDER BY f.created_at, f.batch_id, f.position, f.id LIMIT 25 * $8::bigint;

-- name: names_request
SELECT name FROM request
WHERE request_id = $3::uuid AND ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
ORDER BY collection_id LIMIT 1;

-- name: names_batch
SELECT batch_id::text AS name FROM batch
WHERE batch_id = $3::uuid AND ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2);

-- name: names_files
-- Returns no row unless all files exist.
SELECT CASE WHEN count(*) = 1 THEN min(original_filename) ELSE count(*) || ' files' END AS name FROM file_metadata
WHERE id = ANY($3::uuid[]) AND ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
HAVING count(DISTINCT id) = cardinality($3::uuid[]);
