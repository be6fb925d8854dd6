-- What was read from each processed file. `attempt` is the fence: rows of a later run are never overwritten by an earlier one.
CREATE TABLE document (
    file_id       uuid PRIMARY KEY,
    batch_id      uuid NOT NULL,
    collection_id text NOT NULL,
    run_id        uuid NOT NULL,
    attempt       integer NOT NULL,
    filename      text NOT NULL,
    file_size     bigint NOT NULL,
    sha256        text NOT NULL,
    page_count    integer NOT NULL,
    title         text,
    metadata      jsonb NOT NULL,
    truncated     boolean NOT NULL,
    characters    bigint NOT NULL,
    processed_at  timestamptz NOT NULL
);
CREATE INDEX document_batch_id ON document (batch_id);

CREATE TABLE page (
    file_id uuid NOT NULL REFERENCES document ON DELETE CASCADE,
    page    integer NOT NULL,
    text    text NOT NULL,
    attempt integer NOT NULL,
    PRIMARY KEY (file_id, page)
);

-- How a batch ended last. Written before the committed offset moves past the batch, so that an event of it that comes
-- again is not taken for a new batch, and a retry finds what it is a retry of.
CREATE TABLE finished_batch (
    batch_id    uuid PRIMARY KEY,
    generation  integer NOT NULL,
    status      text NOT NULL,
    finished_at timestamptz NOT NULL,
    state       bytea NOT NULL -- JSON of quire_schemas.batch.BatchState
);
