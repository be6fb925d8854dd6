-- What a reader of a processed file's text has to know; `characters` counts the text of the `pages_read` pages. Of files that were
-- processed by an older version nothing is known. The templates are altered too; `batch` and `file_metadata` may be away.
ALTER TABLE file_metadata_template
    ADD COLUMN truncated  boolean NOT NULL DEFAULT false,
    ADD COLUMN pages_read integer,
    ADD COLUMN characters bigint,
    ADD COLUMN notices    jsonb NOT NULL DEFAULT '[]'; -- as quire_schemas.events.Notice has them
ALTER TABLE IF EXISTS file_metadata
    ADD COLUMN truncated  boolean NOT NULL DEFAULT false,
    ADD COLUMN pages_read integer,
    ADD COLUMN characters bigint,
    ADD COLUMN notices    jsonb NOT NULL DEFAULT '[]';
