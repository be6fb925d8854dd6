-- name: first
INSERT INTO epoch (id, fold_version, live) VALUES (gen_random_uuid(), $1, true) ON CONFLICT (live) WHERE live DO NOTHING;

-- name: carry_on
-- Waits until nobody projects. From then on, a notifier of an older version sees that it is superseded.
WITH held AS (SELECT id FROM epoch WHERE live FOR UPDATE)
UPDATE epoch SET fold_version = $1 FROM held WHERE epoch.id = held.id AND epoch.fold_version < $1;

-- name: look
SELECT id::text, fold_version, to_regclass('batch') IS NOT NULL AND to_regclass('file_metadata') IS NOT NULL
                               AND to_regclass('request') IS NOT NULL AND to_regclass('unindexed') IS NOT NULL AS whole
FROM epoch WHERE live;
