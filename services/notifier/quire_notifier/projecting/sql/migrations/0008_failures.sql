-- The batches of a collection that hold failed files, of which a collection of many has few. `batch` may be away.
CREATE INDEX ON batch_template (collection_id) WHERE failed > 0;
DO $$
BEGIN
    IF to_regclass('batch') IS NOT NULL THEN
        CREATE INDEX ON batch (collection_id) WHERE failed > 0;
    END IF;
END $$;
