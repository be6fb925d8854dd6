-- Each answer names the live epoch as of its own snapshot. Columns of the feed are null when there are no rows.

-- name: head
SELECT e.id::text AS epoch, coalesce(c.last_seq, 0) AS last_seq, coalesce(c.pruned_to, 0) AS pruned_to
FROM epoch e LEFT JOIN collection c ON c.epoch = e.id AND c.collection_id = $1
WHERE e.live;

-- name: heads
SELECT e.id::text AS epoch, c.collection_id, c.last_seq
FROM epoch e LEFT JOIN collection c ON c.epoch = e.id AND c.collection_id = ANY($1::text[])
WHERE e.live;

-- name: read
SELECT e.id::text AS epoch, f.seq, f.message, f.at
FROM epoch e LEFT JOIN LATERAL (
    SELECT seq, message, at FROM feed WHERE epoch = e.id AND collection_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
) f ON true
WHERE e.live ORDER BY f.seq;

-- name: of_batch
SELECT e.id::text AS epoch, f.seq, f.message, f.at
FROM epoch e LEFT JOIN LATERAL (
    SELECT seq, message, at FROM feed WHERE batch_id = $1::uuid AND seq > $2 AND epoch = e.id ORDER BY seq LIMIT $3
) f ON true
WHERE e.live ORDER BY f.seq;

-- name: total
SELECT count(*) FROM batch WHERE collection_id = $1 AND status IN ('queued', 'processing');

-- name: active
-- The oldest batch first, after the place ($2, $3) if one is given. A state holds all files of its batch, so it is read only
-- where a file may be in flight. The columns order the rows, because the index does not contain the texts that are selected.
SELECT {batch},
       CASE WHEN status = 'processing' THEN state END AS state
FROM batch AS b
WHERE collection_id = $1 AND status IN ('queued', 'processing')
  AND ($2::timestamptz IS NULL OR (created_at, batch_id) > ($2, $3::uuid))
ORDER BY b.created_at, b.batch_id LIMIT $4;
