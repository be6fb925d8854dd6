"""The OpenAPI 3.1 documents of ingest and notifier, for integrators and their generators.

`ingest` and `notifier` hold the operations, `problems` the answers other than success; `document` writes the documents.
"""
