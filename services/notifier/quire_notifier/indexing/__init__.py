"""Texts from the object store into an index of Postgres, in the background, for `in=text`."""
