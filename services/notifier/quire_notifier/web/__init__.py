"""The HTTP side of the notifier: queries, contents of files, event streams, and the page."""
