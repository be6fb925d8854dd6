-- A new epoch beside the live one. The names `batch`, `file_metadata`, `request` and `unindexed` mean the new tables here: they
-- are in a schema of their own, which comes first in the session's search path. All other tables are the usual ones.

-- name: lock
SELECT pg_try_advisory_lock(hashtext('quire rebuild'));

-- name: templates
CREATE TABLE notifier_rebuild.batch (LIKE notifier.batch_template INCLUDING ALL);
CREATE TABLE notifier_rebuild.file_metadata (LIKE notifier.file_metadata_template INCLUDING ALL);
CREATE TABLE notifier_rebuild.request (LIKE notifier.request_template INCLUDING ALL);
CREATE TABLE notifier_rebuild.unindexed (LIKE notifier.unindexed_template INCLUDING ALL);

-- name: begin
INSERT INTO epoch (id, fold_version, live) VALUES (gen_random_uuid(), $1, false) RETURNING id::text;

-- name: hold
-- From here to the commit nobody projects: running transactions have ended, and new ones wait.
SELECT id::text FROM epoch WHERE live FOR UPDATE;

-- name: has_live
SELECT to_regclass('notifier.batch') IS NOT NULL;

-- name: lost
SELECT batch_id::text FROM notifier.batch AS old
WHERE NOT EXISTS (SELECT FROM notifier_rebuild.batch AS new WHERE new.batch_id = old.batch_id);

-- name: folded
SELECT p.partition, p.next_offset FROM projection AS p JOIN epoch AS e ON e.id = p.epoch WHERE e.live ORDER BY p.partition;

-- name: swap
DROP TABLE IF EXISTS notifier.batch;
DROP TABLE IF EXISTS notifier.file_metadata;
DROP TABLE IF EXISTS notifier.request;
DROP TABLE IF EXISTS notifier.unindexed;
ALTER TABLE notifier_rebuild.batch SET SCHEMA notifier;
ALTER TABLE notifier_rebuild.file_metadata SET SCHEMA notifier;
ALTER TABLE notifier_rebuild.request SET SCHEMA notifier;
ALTER TABLE notifier_rebuild.unindexed SET SCHEMA notifier;

-- name: retire
UPDATE epoch SET live = false WHERE live;

-- name: enthrone
UPDATE epoch SET live = true WHERE id = $1::uuid;

-- name: left
SELECT id::text FROM epoch WHERE NOT live AND id <> $1::uuid;

-- name: remove_feed
DELETE FROM feed WHERE (epoch, collection_id, seq) IN (SELECT epoch, collection_id, seq FROM feed WHERE epoch = $1::uuid LIMIT $2);

-- name: remove_epoch
WITH p AS (DELETE FROM projection WHERE epoch = $1::uuid), c AS (DELETE FROM collection WHERE epoch = $1::uuid)
SELECT 1;

-- name: forget
DELETE FROM epoch WHERE id = $1::uuid AND NOT live;
