"""Ingest: takes files over HTTP, stores the originals in S3, and sends `BatchCreated`, cancels and retries to the log."""
