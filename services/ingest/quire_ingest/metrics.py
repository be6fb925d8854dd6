"""Every metric of ingest, declared once."""

from typing import get_args

from quire_ingest.verdict import RejectionCode
from quire_runtime.metrics import built, counter, gauge, histogram

built("ingest")

OPERATIONS = ("upload", "cancel", "retry", "cancel_request", "retry_request")
RECEIVED_BYTES = counter("quire_ingest_received_bytes_total", "Bytes of files received, those of rejected files too.")
FILES = counter(
    "quire_ingest_files_total",
    "Files received whole: accepted, or the code of their rejection. Those of a repeated request are counted again.",
    code=("accepted", *get_args(RejectionCode)),
)
BATCHES = counter("quire_ingest_batches_total", "Batches whose creation is in the log.")
REQUESTS = histogram(
    "quire_ingest_request_seconds",
    "Time from the head of a request to its answer.",
    # A command takes milliseconds, an upload of 16 GiB over a slow line many minutes.
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
    operation=OPERATIONS,
    status="the HTTP status; 499: the client left before the answer",
)
PROBLEMS = counter(
    "quire_ingest_problems_total",
    "Answers other than success.",
    operation=OPERATIONS,
    code="a code of docs/api.md",
)
OPEN = gauge("quire_ingest_requests_open", "Uploads and commands under way.")
BUFFERED = gauge(
    "quire_ingest_buffered_bytes", "Bytes received and not stored yet, by where they wait.", where=("memory", "disk")
)
BUFFERED_ON_DISK = BUFFERED.labels("disk")
LEFT_BEHIND = counter(
    "quire_ingest_objects_left_total", "Objects of requests without effect that could not be deleted; `quire sweep` removes them."
)
