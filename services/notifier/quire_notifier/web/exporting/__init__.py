"""Exports texts, originals and reports of many files as one stream, which is never held in memory as a whole."""
