-- One poll of the log, in one transaction, in this order.

-- name: live
-- The lock holds up a switch of epochs until this transaction has ended; no row: one is being made just now, ask again.
SELECT id::text, fold_version FROM epoch WHERE live FOR KEY SHARE;

-- name: begin
-- Partitions that the epoch has not begun. A switch of epochs is waited for, and then nothing is begun in the old one.
INSERT INTO projection (epoch, partition, next_offset)
SELECT e.id, n.partition, n.next
FROM (SELECT id FROM epoch WHERE id = $1::uuid AND live = $4 FOR KEY SHARE) AS e,
     unnest($2::integer[], $3::bigint[]) AS n (partition, next)
ORDER BY n.partition
ON CONFLICT (epoch, partition) DO NOTHING;

-- name: advance
-- Compare-and-set: $3 is where each partition has to stand, $4 where it stands then. A row less than asked for: another was here.
-- The rows are locked in sorted order, so that two who want the same ones do not lock each other out.
WITH held AS (
    SELECT p.partition, n.next
    FROM projection AS p JOIN unnest($2::integer[], $3::bigint[], $4::bigint[]) AS n (partition, first, next)
         ON p.partition = n.partition AND p.next_offset = n.first
    WHERE p.epoch = $1::uuid ORDER BY p.partition FOR UPDATE OF p
)
UPDATE projection AS p SET next_offset = held.next FROM held WHERE p.epoch = $1::uuid AND p.partition = held.partition
RETURNING p.partition;

-- name: positions
SELECT partition, next_offset FROM projection WHERE epoch = $1::uuid AND partition = ANY($2::integer[]);

-- name: states
SELECT state FROM batch WHERE batch_id = ANY($1::uuid[]);

-- name: write_batches
INSERT INTO batch (batch_id, collection_id, request_id, status, policy, generation, attempt, stage, total, processed, failed,
                   cancelled, created_at, started_at, ended_at, last_seen_at, worker, error_code, error_message, state)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::integer[], $7::integer[], $8::text[],
                     $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::timestamptz[], $14::timestamptz[],
                     $15::timestamptz[], $16::timestamptz[], $17::text[], $18::text[], $19::text[], $20::bytea[])
ON CONFLICT (batch_id) DO UPDATE
SET status = excluded.status, generation = excluded.generation, attempt = excluded.attempt, stage = excluded.stage,
    processed = excluded.processed, failed = excluded.failed, cancelled = excluded.cancelled,
    started_at = excluded.started_at, ended_at = excluded.ended_at, last_seen_at = excluded.last_seen_at,
    worker = excluded.worker, error_code = excluded.error_code, error_message = excluded.error_message, state = excluded.state,
    heard_at = now();

-- name: write_files
INSERT INTO file_metadata (id, collection_id, original_filename, file_size, processing_status, upload_progress, batch_id,
                           created_at, updated_at, error_code, error_message, page_count, title, sha256, object_key, text_key,
                           thumbnail_key, truncated, pages_read, characters, notices, path, position,
                           started_at, duration_ms, searchable)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::integer[], $7::uuid[], $8::timestamptz[],
                     $9::timestamptz[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::text[], $15::text[],
                     $16::text[], $17::text[], $18::boolean[], $19::integer[], $20::bigint[], $21::jsonb[], $22::text[],
                     $23::integer[], $24::timestamptz[], $25::bigint[], $26::text[])
ON CONFLICT (batch_id, id) DO UPDATE
SET processing_status = excluded.processing_status, upload_progress = excluded.upload_progress,
    updated_at = excluded.updated_at, error_code = excluded.error_code, error_message = excluded.error_message,
    page_count = excluded.page_count, title = excluded.title, text_key = excluded.text_key,
    thumbnail_key = excluded.thumbnail_key, truncated = excluded.truncated, pages_read = excluded.pages_read,
    characters = excluded.characters, notices = excluded.notices, started_at = excluded.started_at,
    duration_ms = excluded.duration_ms;

-- name: reserve
-- Locks the collections in sorted order and gives each message its place: the last one's seq per collection.
INSERT INTO collection AS c (epoch, collection_id, last_seq)
SELECT $1::uuid, n.collection_id, n.count FROM unnest($2::text[], $3::bigint[]) AS n (collection_id, count)
ORDER BY n.collection_id
ON CONFLICT (epoch, collection_id) DO UPDATE SET last_seq = c.last_seq + excluded.last_seq
RETURNING collection_id, last_seq;

-- name: append
INSERT INTO feed (epoch, collection_id, seq, batch_id, type, at, message)
SELECT $1::uuid, * FROM unnest($2::text[], $3::bigint[], $4::uuid[], $5::text[], $6::timestamptz[], $7::text[]);

-- name: notify
SELECT pg_notify($1, $2);
