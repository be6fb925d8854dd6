-- What the log says, folded. One epoch is one folding of the log from its beginning; exactly one is live.
CREATE TABLE epoch (
    id           uuid PRIMARY KEY,
    fold_version integer NOT NULL,
    live         boolean NOT NULL
);
CREATE UNIQUE INDEX epoch_live_idx ON epoch (live) WHERE live;

-- How far each partition is folded: advanced by compare-and-set, in the transaction that writes what the records meant.
CREATE TABLE projection (
    epoch       uuid NOT NULL REFERENCES epoch,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (epoch, partition)
) WITH (fillfactor = 50);

-- Messages up to `pruned_to` are gone; `last_seq` is the newest one's.
CREATE TABLE collection (
    epoch         uuid NOT NULL REFERENCES epoch,
    collection_id text NOT NULL,
    last_seq      bigint NOT NULL,
    pruned_to     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (epoch, collection_id)
) WITH (fillfactor = 50);

-- What subscribers are sent: `message` is the JSON text as it goes out. `seq` is contiguous from 1.
CREATE TABLE feed (
    epoch         uuid NOT NULL,
    collection_id text NOT NULL,
    seq           bigint NOT NULL,
    batch_id      uuid NOT NULL,
    type          text NOT NULL,
    at            timestamptz NOT NULL,
    message       text NOT NULL,
    PRIMARY KEY (epoch, collection_id, seq)
);

-- Where each batch and file stands, in the live epoch. `batch` and `file_metadata` may be dropped: `quire rebuild` makes
-- them again from these two, which stay empty. Who alters a table alters its template too.
CREATE TABLE batch_template (
    batch_id      uuid PRIMARY KEY,
    collection_id text NOT NULL,
    request_id    uuid NOT NULL,
    status        text NOT NULL,
    policy        text NOT NULL,
    generation    integer NOT NULL,
    attempt       integer NOT NULL,
    stage         text,
    total         integer NOT NULL,
    processed     integer NOT NULL,
    failed        integer NOT NULL,
    cancelled     integer NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz,
    last_seen_at  timestamptz,
    worker        text,
    error_code    text,
    error_message text,
    state         bytea NOT NULL -- JSON of quire_schemas.batch.BatchState: what the next event is folded into
) WITH (fillfactor = 80);
CREATE INDEX ON batch_template (collection_id, created_at, batch_id);
CREATE INDEX ON batch_template (created_at, batch_id);
CREATE INDEX ON batch_template (status, created_at, batch_id) WHERE status IN ('queued', 'processing');

CREATE TABLE file_metadata_template (
    id                uuid NOT NULL,
    collection_id     text NOT NULL,
    original_filename text NOT NULL,
    file_size         bigint NOT NULL,
    processing_status text NOT NULL,
    upload_progress   integer NOT NULL, -- percent of the bytes that are known to be in object storage
    batch_id          uuid NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    error_code        text,
    error_message     text,
    page_count        integer,
    title             text,
    sha256            text NOT NULL,
    object_key        text NOT NULL,
    text_key          text,
    thumbnail_key     text,
    PRIMARY KEY (batch_id, id) -- a producer that names one file in two batches harms neither
) WITH (fillfactor = 80);
CREATE INDEX ON file_metadata_template (id);
CREATE INDEX ON file_metadata_template (collection_id, created_at, id);
CREATE INDEX ON file_metadata_template (created_at, id);

CREATE TABLE batch (LIKE batch_template INCLUDING ALL);
CREATE TABLE file_metadata (LIKE file_metadata_template INCLUDING ALL);
