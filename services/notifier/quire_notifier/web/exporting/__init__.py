"""Results taken out: texts, originals and reports of many files, as one stream that is never held whole."""
