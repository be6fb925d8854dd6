-- The active batches of one collection, in the order in which snapshots name them, however many have ended.
CREATE INDEX ON batch_template (collection_id, created_at, batch_id) WHERE status IN ('queued', 'processing');
CREATE INDEX ON batch (collection_id, created_at, batch_id) WHERE status IN ('queued', 'processing');
