-- name: configs
SELECT cfgname FROM pg_ts_config WHERE pg_ts_config_is_visible(oid) ORDER BY cfgname;

-- name: queue_others
INSERT INTO unindexed (collection_id, batch_id, text_key)
SELECT f.collection_id, f.batch_id, f.text_key FROM indexed_text AS t JOIN file_metadata AS f
     ON f.batch_id = t.batch_id AND f.text_key = t.text_key
WHERE t.config <> $1;

-- name: take
-- Takes the newest text that no notifier has taken, because people search first for what was just uploaded. It is reserved for
-- $1 seconds.
UPDATE unindexed SET taken_until = now() + make_interval(secs => $1)
WHERE seq = (SELECT seq FROM unindexed WHERE taken_until < now() ORDER BY seq DESC LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING seq, batch_id, text_key;

-- name: is_there
SELECT EXISTS (SELECT FROM indexed_text WHERE batch_id = $1 AND text_key = $2 AND config = $3);

-- name: skip
-- Removes texts that are already indexed from the queue. After a rebuild these are nearly all.
DELETE FROM unindexed WHERE seq IN (
    SELECT u.seq FROM unindexed AS u JOIN indexed_text AS t ON t.batch_id = u.batch_id AND t.text_key = u.text_key
    WHERE t.config = $1 LIMIT $2
);

-- name: begin
INSERT INTO indexed_text (batch_id, text_key) VALUES ($1, $2) RETURNING id;

-- name: write
INSERT INTO indexed_page (text_id, page, piece, body, words)
SELECT $1::bigint, n.page, n.piece, n.body, to_tsvector($2::text::regconfig, n.body)
FROM unnest($3::integer[], $4::integer[], $5::text[]) AS n (page, piece, body);

-- name: replace
-- Removes the remains of earlier attempts, and the text as indexed with another configuration.
DELETE FROM indexed_text WHERE batch_id = $1 AND text_key = $2 AND id <> $3;

-- name: finish
UPDATE indexed_text SET config = $2 WHERE id = $1;

-- name: done
DELETE FROM unindexed WHERE seq = $1;

-- name: steps_back
-- Whether batches are in work and at most $1 texts wait.
SELECT EXISTS (SELECT FROM batch WHERE status IN ('queued', 'processing'))
       AND (SELECT count(*) FROM (SELECT FROM unindexed LIMIT $1 + 1) AS waiting) <= $1;
