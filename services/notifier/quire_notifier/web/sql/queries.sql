-- Queries of the HTTP API. Collections are restricted to the names that a token may read ($1; null: all); `names` finds these
-- names. ORDER BY names the column with its table, because an index does not contain the text that is selected. `{batch}` and
-- `{file}` are the columns of projecting/row_sql.py.

-- name: state
SELECT collection_id, state FROM batch WHERE batch_id = $1::uuid;

-- name: batches
-- The newest batch first, after the place ($4, $5) if one is given.
SELECT {batch}
FROM batch AS b
WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
  AND ($3::text[] IS NULL OR status = ANY($3))
  AND ($4::timestamptz IS NULL OR (created_at, batch_id) < ($4, $5::uuid))
ORDER BY b.created_at DESC, b.batch_id DESC LIMIT $6;

-- name: batches_of
-- As `batches`, for one request ($7).
SELECT {batch}
FROM batch AS b
WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
  AND ($3::text[] IS NULL OR status = ANY($3)) AND request_id = $7::uuid
  AND ($4::timestamptz IS NULL OR (created_at, batch_id) < ($4, $5::uuid))
ORDER BY b.created_at DESC, b.batch_id DESC LIMIT $6;

-- name: waiting
-- The oldest batch first.
SELECT {batch}
FROM batch AS b
WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2) AND status = 'queued'
  AND ($3::timestamptz IS NULL OR (created_at, batch_id) > ($3, $4::uuid))
ORDER BY b.created_at, b.batch_id LIMIT $5;

-- name: stuck
-- Batches in processing that were silent for $3 seconds, measured by Postgres' clock alone; the longest silent first.
SELECT {batch}
FROM batch AS b
WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
  AND status = 'processing' AND heard_at < now() - make_interval(secs => $3::double precision)
ORDER BY heard_at, b.batch_id LIMIT $4;

-- name: files
-- The newest batch first, and its files in their order, after the place ($6, $7, $8, $9) if one is given.
SELECT {file}
FROM file_metadata AS f
WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
  AND ($3::uuid IS NULL OR batch_id = $3) AND ($4::text[] IS NULL OR processing_status = ANY($4))
  AND ($5::text IS NULL OR searchable LIKE $5) AND ($11::text[] IS NULL OR error_code = ANY($11))
  AND ($6::timestamptz IS NULL OR created_at <= $6 AND (created_at < $6 OR (batch_id, position, id) > ($7::uuid, $8, $9::uuid)))
ORDER BY created_at DESC, f.batch_id, position, f.id LIMIT $10;

-- name: files_of
-- As `files`, for one request ($12): one index gives its batches in order, another one the files of each batch. Batches without
-- failures are skipped when only failed files are wanted, because few batches of a large request have failures.
SELECT {file}
FROM batch AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE ($1::text[] IS NULL OR b.collection_id = ANY($1)) AND ($2::text IS NULL OR b.collection_id = $2)
  AND ($3::uuid IS NULL OR b.batch_id = $3) AND ($4::text[] IS NULL OR f.processing_status = ANY($4))
  AND ($5::text IS NULL OR f.searchable LIKE $5) AND ($11::text[] IS NULL OR f.error_code = ANY($11)) AND b.request_id = $12::uuid
  AND ($4::text[] IS DISTINCT FROM ARRAY['failed'] OR b.failed > 0)
  AND ($6::timestamptz IS NULL OR (b.created_at, b.batch_id) <= ($6, $7::uuid)
       AND ((b.created_at, b.batch_id) < ($6, $7) OR (f.position, f.id) > ($8, $9::uuid)))
ORDER BY b.created_at DESC, b.batch_id DESC, f.position, f.id LIMIT $10;

-- name: files_in_order
-- As `files_of`, in the order of the upload: the oldest batch first.
SELECT {file}
FROM batch AS b JOIN file_metadata AS f ON f.batch_id = b.batch_id
WHERE ($1::text[] IS NULL OR b.collection_id = ANY($1)) AND ($2::text IS NULL OR b.collection_id = $2)
  AND ($3::uuid IS NULL OR b.batch_id = $3) AND ($4::text[] IS NULL OR f.processing_status = ANY($4))
  AND ($5::text IS NULL OR f.searchable LIKE $5) AND ($11::text[] IS NULL OR f.error_code = ANY($11)) AND b.request_id = $12::uuid
  AND ($4::text[] IS DISTINCT FROM ARRAY['failed'] OR b.failed > 0)
  AND ($6::timestamptz IS NULL OR (b.created_at, b.batch_id) >= ($6, $7::uuid)
       AND ((b.created_at, b.batch_id) > ($6, $7) OR (f.position, f.id) > ($8, $9::uuid)))
ORDER BY b.created_at, b.batch_id, f.position, f.id LIMIT $10;

-- name: file
SELECT {file}
FROM file_metadata AS f WHERE id = $1::uuid ORDER BY created_at, f.batch_id LIMIT 1;

-- name: names
SELECT c.collection_id FROM collection c JOIN epoch e ON e.id = c.epoch AND e.live WHERE c.collection_id LIKE ANY($1::text[]);

-- name: collections
SELECT c.collection_id, c.last_seq, coalesce(a.active, 0) AS active,
       c.queued + c.processing + c.processed + c.failed + c.cancelled AS total, c.queued, c.processing, c.processed, c.failed, c.cancelled
FROM collection c JOIN epoch e ON e.id = c.epoch AND e.live
     LEFT JOIN (SELECT collection_id, count(*) AS active FROM batch WHERE status IN ('queued', 'processing') GROUP BY 1) AS a
     ON a.collection_id = c.collection_id
WHERE ($1::text[] IS NULL OR c.collection_id LIKE ANY($1)) AND ($2::text IS NULL OR c.collection_id > $2)
ORDER BY c.collection_id LIMIT $3;
