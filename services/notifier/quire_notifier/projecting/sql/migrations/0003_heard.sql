-- When the newest event of a batch was projected, by Postgres' clock: `last_seen_at` is by that of the processor, and the two may
-- differ. `batch` may be away.
ALTER TABLE batch_template ADD COLUMN heard_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE IF EXISTS batch ADD COLUMN heard_at timestamptz NOT NULL DEFAULT now();
