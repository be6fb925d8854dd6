"""What all services share: settings, logs, the ops port, Kafka, S3, Postgres, access control.
Nothing here knows about batches.
"""
