-- name: candidates
SELECT c.epoch::text, c.collection_id FROM collection c JOIN epoch e ON e.id = c.epoch AND e.live WHERE c.pruned_to < c.last_seq;

-- name: last_old
-- The last old message of the next $4 that has no young message before it, because times need not be in the order of seq. The
-- collection is locked first: until this transaction ends, nobody appends messages or prunes.
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
