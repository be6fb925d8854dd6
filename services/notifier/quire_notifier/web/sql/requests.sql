-- Queries of uploads. Collections are restricted as in queries.sql.

-- name: requests
-- The newest request first, after the place ($4, $5) if one is given.
SELECT request_id::text, collection_id, name, status, created_at, first_started_at, last_ended_at, batches,
       batches_queued + batches_processing AS open, total, queued, processing, processed, failed, cancelled, bytes, pages
FROM request
WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
  AND ($3::text[] IS NULL OR status = ANY($3))
  AND ($4::timestamptz IS NULL OR (created_at, request_id) < ($4, $5::uuid))
ORDER BY request.created_at DESC, request.request_id DESC LIMIT $6;

-- name: request
-- Returns the rows of all collections that have the request, because the caller may be allowed to read only one of them.
SELECT request_id::text, collection_id, name, status, created_at, first_started_at, last_ended_at, batches,
       batches_queued + batches_processing AS open, total, queued, processing, processed, failed, cancelled, bytes, pages
FROM request WHERE request_id = $1::uuid ORDER BY collection_id;

-- name: paces
-- Number of files of these requests ($2) that were settled lately, among the last messages of their collections ($1), and the
-- seconds since the first of them.
SELECT b.request_id::text, b.collection_id, count(*) AS files, extract(epoch FROM now() - min(f.at))::double precision AS seconds
FROM epoch AS e CROSS JOIN unnest($1::text[]) AS c (collection_id) CROSS JOIN LATERAL (
    SELECT batch_id, type, at FROM feed WHERE epoch = e.id AND collection_id = c.collection_id ORDER BY seq DESC LIMIT 1000
) AS f JOIN batch AS b ON b.batch_id = f.batch_id
WHERE e.live AND f.type = 'FILES_PROCESSED' AND f.at > now() - interval '20 seconds' AND b.request_id = ANY($2::uuid[])
GROUP BY b.request_id, b.collection_id;

-- name: failures
-- Failed files can be retried when their batches have ended.
SELECT f.error_code, count(*) AS count, count(*) FILTER (WHERE b.status NOT IN ('queued', 'processing')) AS retriable,
       mode() WITHIN GROUP (ORDER BY f.error_message) AS message
FROM batch AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE b.request_id = $1::uuid AND b.collection_id = $2 AND b.failed > 0 AND f.processing_status = 'failed'
GROUP BY f.error_code ORDER BY count(*) DESC, f.error_code;

-- name: failures_of_collection
-- Names at most $3 of the uploads whose failed files can be retried.
SELECT f.error_code, count(*) AS count, count(*) FILTER (WHERE b.status NOT IN ('queued', 'processing')) AS retriable,
       mode() WITHIN GROUP (ORDER BY f.error_message) AS message,
       (array_agg(DISTINCT b.request_id::text) FILTER (WHERE b.status NOT IN ('queued', 'processing')))[:$3::integer] AS request_ids
FROM batch AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE ($1::text[] IS NULL OR b.collection_id = ANY($1)) AND ($2::text IS NULL OR b.collection_id = $2)
  AND b.failed > 0 AND f.processing_status = 'failed'
GROUP BY f.error_code ORDER BY count(*) DESC, f.error_code;

-- name: states
-- Batches in the order of the upload, after the place ($3, $4) if one is given.
SELECT created_at, batch_id::text, state FROM batch
WHERE request_id = $1::uuid AND collection_id = $2
  AND ($3::timestamptz IS NULL OR (created_at, batch_id) > ($3, $4::uuid))
ORDER BY batch.created_at, batch.batch_id LIMIT $5;
