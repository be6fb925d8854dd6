-- Sums over batches. Each poll adds its changes. Rows are locked in sorted order, before the rows of `collection`.

-- name: add
INSERT INTO request AS r (request_id, collection_id, name, created_at, first_started_at, last_ended_at, batches, batches_queued,
                          batches_processing, batches_completed, batches_with_errors, batches_failed, batches_cancelled, total,
                          queued, processing, processed, failed, cancelled, bytes, pages)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::integer[],
                     $8::integer[], $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::integer[],
                     $14::integer[], $15::integer[], $16::integer[], $17::integer[], $18::integer[], $19::integer[],
                     $20::bigint[], $21::bigint[])
       AS n (request_id, collection_id)
ORDER BY n.request_id, n.collection_id
ON CONFLICT (request_id, collection_id) DO UPDATE
SET name = CASE WHEN excluded.created_at < r.created_at THEN excluded.name
                WHEN excluded.created_at = r.created_at THEN least(excluded.name COLLATE "C", r.name COLLATE "C")
                ELSE r.name END,
    created_at = least(r.created_at, excluded.created_at),
    first_started_at = least(r.first_started_at, excluded.first_started_at),
    last_ended_at = greatest(r.last_ended_at, excluded.last_ended_at),
    batches = r.batches + excluded.batches,
    batches_queued = r.batches_queued + excluded.batches_queued,
    batches_processing = r.batches_processing + excluded.batches_processing,
    batches_completed = r.batches_completed + excluded.batches_completed,
    batches_with_errors = r.batches_with_errors + excluded.batches_with_errors,
    batches_failed = r.batches_failed + excluded.batches_failed,
    batches_cancelled = r.batches_cancelled + excluded.batches_cancelled,
    total = r.total + excluded.total,
    queued = r.queued + excluded.queued,
    processing = r.processing + excluded.processing,
    processed = r.processed + excluded.processed,
    failed = r.failed + excluded.failed,
    cancelled = r.cancelled + excluded.cancelled,
    bytes = r.bytes + excluded.bytes,
    pages = r.pages + excluded.pages;

-- name: count
UPDATE collection AS c
SET queued = c.queued + n.queued, processing = c.processing + n.processing, processed = c.processed + n.processed,
    failed = c.failed + n.failed, cancelled = c.cancelled + n.cancelled
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
     AS n (collection_id, queued, processing, processed, failed, cancelled)
WHERE c.epoch = $1::uuid AND c.collection_id = n.collection_id;

-- name: queue
INSERT INTO unindexed (collection_id, batch_id, text_key) SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[]);

-- name: clear
-- This statement and the next three compute the sums again from the tables of an epoch that an older version has folded. For
-- retried batches, starts and ends before the retry are not known any more.
DELETE FROM request;

-- name: sum_requests
INSERT INTO request (request_id, collection_id, name, created_at, first_started_at, last_ended_at, batches, batches_queued,
                     batches_processing, batches_completed, batches_with_errors, batches_failed, batches_cancelled, total,
                     queued, processing, processed, failed, cancelled, bytes, pages)
SELECT b.request_id, b.collection_id, (array_agg(f.name ORDER BY b.created_at, f.name))[1], min(b.created_at),
       min(b.started_at), max(b.ended_at), count(*), count(*) FILTER (WHERE b.status = 'queued'),
       count(*) FILTER (WHERE b.status = 'processing'), count(*) FILTER (WHERE b.status = 'completed'),
       count(*) FILTER (WHERE b.status = 'completed_with_errors'), count(*) FILTER (WHERE b.status = 'failed'),
       count(*) FILTER (WHERE b.status = 'cancelled'), sum(f.total), sum(f.queued), sum(f.processing), sum(f.processed),
       sum(f.failed), sum(f.cancelled), sum(f.bytes), sum(f.pages)
FROM batch AS b CROSS JOIN LATERAL (
    SELECT coalesce(convert_from(b.state, 'UTF8')::json ->> 'request_name',
                    min(coalesce(nullif(split_part(path, '/', 1), ''), original_filename) COLLATE "C") FILTER (WHERE position = 0)) COLLATE "C" AS name,
           count(*) AS total, count(*) FILTER (WHERE processing_status = 'queued') AS queued,
           count(*) FILTER (WHERE processing_status = 'processing') AS processing,
           count(*) FILTER (WHERE processing_status = 'processed') AS processed,
           count(*) FILTER (WHERE processing_status = 'failed') AS failed,
           count(*) FILTER (WHERE processing_status = 'cancelled') AS cancelled,
           sum(file_size) AS bytes, coalesce(sum(page_count) FILTER (WHERE processing_status = 'processed'), 0) AS pages
    FROM file_metadata WHERE batch_id = b.batch_id
) AS f
GROUP BY b.request_id, b.collection_id;

-- name: sum_collections
UPDATE collection AS c
SET queued = s.queued, processing = s.processing, processed = s.processed, failed = s.failed, cancelled = s.cancelled
FROM epoch AS e, (SELECT collection_id, sum(queued) AS queued, sum(processing) AS processing, sum(processed) AS processed,
                         sum(failed) AS failed, sum(cancelled) AS cancelled FROM request GROUP BY collection_id) AS s
WHERE e.live AND c.epoch = e.id AND c.collection_id = s.collection_id;

-- name: queue_all
INSERT INTO unindexed (collection_id, batch_id, text_key)
SELECT collection_id, batch_id, text_key FROM file_metadata WHERE text_key IS NOT NULL;
