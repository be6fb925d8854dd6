-- For the gauges of unfinished batches and files (metrics.py).

-- name: unfinished
-- One row for each status. A retried batch keeps its created_at: until it is started again, the time of the retry is the
-- updated_at of its queued files.
SELECT s.status, u.batches, u.files, u.age, u.silence
FROM unnest(ARRAY['queued', 'processing']) AS s (status) CROSS JOIN LATERAL (
    SELECT count(*) AS batches,
           coalesce(sum(b.total - b.processed - b.failed - b.cancelled), 0) AS files,
           greatest(0, coalesce(extract(epoch FROM now() - min(
               CASE WHEN b.generation = 0 THEN b.created_at
                    ELSE coalesce(b.started_at, (SELECT f.updated_at FROM file_metadata AS f
                                                 WHERE f.batch_id = b.batch_id AND f.processing_status = 'queued' LIMIT 1))
               END)), 0)) AS age,
           greatest(0, coalesce(extract(epoch FROM now() - min(b.heard_at)), 0)) AS silence
    FROM batch AS b WHERE b.status = s.status AND b.status IN ('queued', 'processing')
) AS u;
