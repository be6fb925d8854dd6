"""Projects the log into the tables `batch`, `file_metadata` and `feed`. Each poll of the log is one transaction."""
