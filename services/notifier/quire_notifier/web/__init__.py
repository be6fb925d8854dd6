"""HTTP: queries, contents of files, event streams, and the page."""
