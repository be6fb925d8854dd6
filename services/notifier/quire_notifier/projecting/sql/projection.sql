-- The statements that project one poll of the log, in one transaction and in this order.

-- name: live
-- The lock delays a switch of epochs until this transaction has ended. No row means that an epoch is just being switched: try
-- again.
SELECT id::text, fold_version FROM epoch WHERE live FOR KEY SHARE;

-- name: begin
-- Inserts the partitions that the epoch does not have yet. Waits for a switch of epochs, and inserts nothing into the old
-- epoch.
INSERT INTO projection (epoch, partition, next_offset)
SELECT e.id, n.partition, n.next
FROM (SELECT id FROM epoch WHERE id = $1::uuid AND live = $4 FOR KEY SHARE) AS e,
     unnest($2::integer[], $3::bigint[]) AS n (partition, next)
ORDER BY n.partition
ON CONFLICT (epoch, partition) DO NOTHING;

-- name: advance
-- Compare-and-set: $3 is the required position of each partition, $4 the new one. Fewer rows than partitions: another notifier
-- has projected. Rows are locked in sorted order, so that two notifiers with the same partitions do not deadlock.
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
INSERT INTO batch (state, {batch.names})
SELECT * FROM unnest($1::bytea[], {batch.arrays})
ON CONFLICT (batch_id) DO UPDATE SET state = excluded.state, heard_at = now(), {batch.changes};

-- name: write_files
INSERT INTO file_metadata (searchable, {file.names})
SELECT * FROM unnest($1::text[], {file.arrays})
ON CONFLICT (batch_id, id) DO UPDATE SET {file.changes};

-- name: reserve
-- Locks the collections in sorted order and reserves a seq for each message. Returns the last seq of each collection.
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
