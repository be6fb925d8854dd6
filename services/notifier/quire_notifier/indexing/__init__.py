"""Indexes texts of the object store in Postgres, in the background, for searches with `in=text`."""
