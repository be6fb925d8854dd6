"""Events projected into Postgres, pushed as a feed, and answered from; the page."""
