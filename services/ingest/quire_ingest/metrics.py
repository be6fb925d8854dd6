"""Every metric of ingest, declared once."""

from prometheus_client import Counter, Gauge, Histogram

RECEIVED_BYTES = Counter("quire_ingest_received_bytes_total", "Bytes of files received, those of rejected files too.")
FILES = Counter(
    "quire_ingest_files_total", "Files received whole, by outcome: accepted, or the code of their rejection.", ["outcome"]
)
BATCHES = Counter("quire_ingest_batches_total", "Batches whose creation is in the log.")
REQUESTS = Histogram(
    "quire_ingest_request_seconds",
    "Seconds from a request's head to its answer, by operation and HTTP status (499: the client left).",
    ["operation", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
PROBLEMS = Counter("quire_ingest_problems_total", "Answers other than success, by operation and code.", ["operation", "code"])
OPEN = Gauge("quire_ingest_requests_open", "Uploads and commands under way.")
BUFFERED = Gauge("quire_ingest_buffered_bytes", "Bytes received and not yet stored, by where they wait.", ["where"])
LEFT_BEHIND = Counter(
    "quire_ingest_objects_left_total", "Objects of requests without effect that could not be deleted; `quire sweep` removes them."
)
