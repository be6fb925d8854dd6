"""From the log to the tables: events folded into `batch`, `file_metadata` and the feed, one transaction a poll."""
