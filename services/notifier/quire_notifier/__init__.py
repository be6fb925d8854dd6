"""The notifier projects events into Postgres, pushes them as a feed, answers queries, and serves the page."""
