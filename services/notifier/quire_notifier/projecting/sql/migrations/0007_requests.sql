-- Uploads as people think of them, what is in each collection, when a file came into work; the texts that can be searched.
-- `batch` and `file_metadata` may be away. Who projects fills `request` and the counts of `collection`: what is here already is
-- counted when the epoch is carried on (epochs.sql).
ALTER TABLE file_metadata_template ADD COLUMN started_at timestamptz, ADD COLUMN duration_ms bigint;
ALTER TABLE IF EXISTS file_metadata ADD COLUMN started_at timestamptz, ADD COLUMN duration_ms bigint;

CREATE INDEX ON batch_template (request_id, created_at, batch_id);
DO $$
BEGIN
    IF to_regclass('batch') IS NOT NULL THEN
        CREATE INDEX ON batch (request_id, created_at, batch_id);
    END IF;
END $$;

-- The sums of a request's batches, and of its files. A request of another producer may be in two collections: as two.
CREATE TABLE request_template (
    request_id            uuid NOT NULL,
    collection_id         text NOT NULL,
    name                  text NOT NULL,
    created_at            timestamptz NOT NULL,
    first_started_at      timestamptz,
    last_ended_at         timestamptz,
    batches               integer NOT NULL,
    batches_queued        integer NOT NULL,
    batches_processing    integer NOT NULL,
    batches_completed     integer NOT NULL,
    batches_with_errors   integer NOT NULL,
    batches_failed        integer NOT NULL,
    batches_cancelled     integer NOT NULL,
    total                 integer NOT NULL,
    queued                integer NOT NULL,
    processing            integer NOT NULL,
    processed             integer NOT NULL,
    failed                integer NOT NULL,
    cancelled             integer NOT NULL,
    bytes                 bigint NOT NULL,
    pages                 bigint NOT NULL,
    status                text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN batches_queued = batches THEN 'queued'
             WHEN batches_queued + batches_processing > 0 THEN 'processing'
             WHEN batches_cancelled > 0 THEN 'cancelled'
             WHEN batches_failed = batches THEN 'failed'
             WHEN batches_completed = batches THEN 'completed'
             ELSE 'completed_with_errors'
        END) STORED,
    PRIMARY KEY (request_id, collection_id)
) WITH (fillfactor = 70);
CREATE INDEX ON request_template (collection_id, created_at, request_id);
CREATE INDEX ON request_template (created_at, request_id);
CREATE INDEX ON request_template (collection_id, created_at, request_id) WHERE status IN ('queued', 'processing');
CREATE TABLE request (LIKE request_template INCLUDING ALL);

-- Files of each standing.
ALTER TABLE collection
    ADD COLUMN queued     bigint NOT NULL DEFAULT 0,
    ADD COLUMN processing bigint NOT NULL DEFAULT 0,
    ADD COLUMN processed  bigint NOT NULL DEFAULT 0,
    ADD COLUMN failed     bigint NOT NULL DEFAULT 0,
    ADD COLUMN cancelled  bigint NOT NULL DEFAULT 0;

CREATE INDEX ON feed (batch_id, seq);

-- Texts that wait for being indexed (indexing/indexer.py). Nothing is unique here: who projects waits for nobody.
CREATE TABLE unindexed_template (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id text NOT NULL,
    batch_id      uuid NOT NULL,
    text_key      text NOT NULL,
    taken_until   timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 70);
CREATE INDEX ON unindexed_template (collection_id);
CREATE TABLE unindexed (LIKE unindexed_template INCLUDING ALL);

-- What can be searched, whatever epoch is live: artefacts never change. `config` is null while pages are still being written.
CREATE TABLE indexed_text (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id uuid NOT NULL, -- by which the file is found: a second index of files would cost each event something
    text_key text NOT NULL,
    config   text
);
CREATE INDEX ON indexed_text (batch_id, text_key);

-- A page, in pieces where it is long. In `body`, U+0003 parts characters of scripts that put no blanks between words.
CREATE TABLE indexed_page (
    text_id bigint NOT NULL REFERENCES indexed_text ON DELETE CASCADE,
    page    integer NOT NULL,
    piece   integer NOT NULL,
    body    text NOT NULL,
    words   tsvector NOT NULL,
    PRIMARY KEY (text_id, page, piece)
);
-- What waits to be merged into the index is gone through by each search: so it is kept short.
CREATE INDEX ON indexed_page USING gin (words) WITH (gin_pending_list_limit = 512);
