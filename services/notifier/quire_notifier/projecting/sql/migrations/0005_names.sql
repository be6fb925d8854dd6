-- Where a file stands in its batch and in the folder that was uploaded, and what of its name is compared in a search
-- (quire_schemas.text.searchable). The order is that of the state; what is searched of files that are here already is
-- folded as far as this database can. `batch` and `file_metadata` may be away.
ALTER TABLE file_metadata_template
    ADD COLUMN path       text,
    ADD COLUMN position   integer NOT NULL DEFAULT 0,
    ADD COLUMN searchable text NOT NULL DEFAULT '';
CREATE INDEX ON file_metadata_template (collection_id, created_at DESC, batch_id, position, id);
CREATE INDEX ON file_metadata_template (created_at DESC, batch_id, position, id);
ALTER TABLE IF EXISTS file_metadata
    ADD COLUMN path       text,
    ADD COLUMN position   integer NOT NULL DEFAULT 0,
    ADD COLUMN searchable text NOT NULL DEFAULT '';
DO $$
BEGIN
    IF to_regclass('file_metadata') IS NOT NULL AND to_regclass('batch') IS NOT NULL THEN
        UPDATE file_metadata AS f SET position = k.place - 1, searchable = lower(f.original_filename)
        FROM batch AS b, LATERAL json_object_keys(convert_from(b.state, 'UTF8')::json -> 'files') WITH ORDINALITY AS k (id, place)
        WHERE b.batch_id = f.batch_id AND k.id = f.id::text;
        CREATE INDEX ON file_metadata (collection_id, created_at DESC, batch_id, position, id);
        CREATE INDEX ON file_metadata (created_at DESC, batch_id, position, id);
    END IF;
END $$;
