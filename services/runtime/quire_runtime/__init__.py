"""What the services share: settings, logs, the ops port, Kafka, S3, Postgres, access. Nothing about batches."""
