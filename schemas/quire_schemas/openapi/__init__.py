"""The OpenAPI 3.1 documents of ingest and notifier, for integrators and their generators.

`ingest` and `notifier` say what can be asked, `problems` what else than success is answered, `document` writes it down.
"""
