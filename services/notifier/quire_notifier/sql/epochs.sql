-- name: first
INSERT INTO epoch (id, fold_version, live) VALUES (gen_random_uuid(), $1, true) ON CONFLICT (live) WHERE live DO NOTHING;

-- name: look
SELECT id::text, fold_version, to_regclass('batch') IS NOT NULL AND to_regclass('file_metadata') IS NOT NULL AS whole
FROM epoch WHERE live;
