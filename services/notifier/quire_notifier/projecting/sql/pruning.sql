-- name: candidates
SELECT c.epoch::text, c.collection_id FROM collection c JOIN epoch e ON e.id = c.epoch AND e.live WHERE c.pruned_to < c.last_seq;

-- name: last_old
-- Of the next $4 messages the last one that is old, with none before it that is young: times need not be in the order of seq.
-- The collection's lock comes first: no message is appended, and nobody else prunes, until this transaction ends.
WITH place AS (
    SELECT pruned_to FROM collection WHERE epoch = $1::uuid AND collection_id = $2 FOR UPDATE
), oldest AS (
    SELECT seq, at FROM feed WHERE epoch = $1::uuid AND collection_id = $2 AND seq > (SELECT pruned_to FROM place)
    ORDER BY seq LIMIT $4
)
SELECT max(seq) FROM oldest WHERE seq < coalesce((SELECT min(seq) FROM oldest WHERE at >= $3), 9223372036854775807);

-- name: move
UPDATE collection SET pruned_to = $3 WHERE epoch = $1::uuid AND collection_id = $2;

-- name: remove
DELETE FROM feed WHERE epoch = $1::uuid AND collection_id = $2 AND seq <= $3;
