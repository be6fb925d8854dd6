"""HTTP in, originals to S3, `BatchCreated` to the log; cancel and retry."""
