"""Every metric of the notifier, declared once. Metrics about the log's contents count the live epoch only. An event is counted
by the notifier that projects it, so once among all notifiers.
"""

from typing import get_args

from quire_runtime.metrics import built, counter, gauge, histogram
from quire_schemas.events import POLICIES, TERMINAL, TYPES, BatchCode, FileCode
from quire_schemas.messages import AnyFeedMessage

built("notifier")

# From the milliseconds of a healthy system to the minutes and hours after an outage.
_DELAYS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
# From a batch of one small file to one that waits for a night's work.
_DURATIONS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 28_800)
# A query takes milliseconds; Postgres has 10 s to answer.
_ANSWERS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ENDS = tuple(sorted(TERMINAL))

EVENTS = counter("quire_notifier_events_total", "Events of the log that were projected.", type=tuple(TYPES))
ACCEPTED = counter("quire_notifier_accepted_total", "Projected events that changed their batch.")
MESSAGES = counter(
    "quire_notifier_feed_messages_total",
    "Messages appended to the feed.",
    type=tuple(str(message.__struct_config__.tag) for message in get_args(AnyFeedMessage)),
)
BATCHES = counter("quire_notifier_batches_total", "Batches that ended, by how.", policy=POLICIES, status=ENDS)
BATCH_FAILURES = counter("quire_notifier_batch_failures_total", "Batches that ended as failed, by why.", code=get_args(BatchCode))
FILES = counter(
    "quire_notifier_files_total",
    "Files that became settled: processed, cancelled, or the code of their failure.",
    code=("processed", "cancelled", *get_args(FileCode)),
)
BATCH_SECONDS = histogram(
    "quire_notifier_batch_seconds",
    "From the first start of a batch's generation to its end.",
    _DURATIONS,
    policy=POLICIES,
    status=ENDS,
)
BATCH_WAIT_SECONDS = histogram("quire_notifier_batch_wait_seconds", "From a batch's creation to its first start.", _DURATIONS)
BATCH_ATTEMPTS = histogram(
    "quire_notifier_batch_attempts",
    "Runs that a batch had seen when it ended: more than one means takeovers, hand-overs or retries.",
    (1, 2, 3, 4, 5, 10),  # one run is usual; five runs without a finished file end a batch
)
PROJECTION_SECONDS = histogram(
    "quire_notifier_projection_seconds", "Duration of the transaction that projects one poll.", _ANSWERS
)
PROJECTION_AGE = histogram(
    "quire_notifier_projection_age_seconds", "From the time of a poll's oldest event to the commit of what it meant.", _DELAYS
)
CONFLICTS = counter("quire_notifier_projection_conflicts_total", "Polls given up because another notifier had projected them.")
REBUILD_NEEDED = gauge("quire_notifier_rebuild_needed", "1 while the projection stands still until `quire rebuild` is run.")

UNFINISHED = ("queued", "processing")
UNFINISHED_BATCHES = gauge(
    "quire_notifier_unfinished_batches",
    "Batches that have not ended. The same on every notifier: take the max.",
    status=UNFINISHED,
)
UNFINISHED_FILES = gauge(
    "quire_notifier_unfinished_files", "Files of those batches that are not settled; take the max.", status=UNFINISHED
)
OLDEST_UNFINISHED = gauge(
    "quire_notifier_oldest_unfinished_age_seconds",
    "Since the oldest of those batches was created; one that was retried counts from the retry, and from its start once it has "
    "one. Take the max.",
    status=UNFINISHED,
)
LONGEST_SILENCE = gauge(
    "quire_notifier_longest_silence_seconds",
    "Since the last sign of life of that batch in processing which has given none for longest; take the max.",
)

SOCKETS = gauge("quire_notifier_sockets", "Open WebSockets.")
STREAMS = gauge("quire_notifier_event_streams", "Open event streams (SSE).")
SUBSCRIPTIONS = gauge("quire_notifier_subscriptions", "Subscriptions of open WebSockets and event streams.")
DELIVERIES = counter("quire_notifier_deliveries_total", "Live messages written to subscribers.")
PUSH_SECONDS = histogram(
    "quire_notifier_push_seconds",
    "From an event's time to its message being written to every live subscriber, for the oldest of each group of messages.",
    _DELAYS,
)
REPLAYED = counter("quire_notifier_replayed_total", "Messages written to subscribers that catch up.")
SNAPSHOTS = counter(
    "quire_notifier_snapshots_total",
    "Snapshots sent: to a new subscriber, because the place asked for is lost, or at a switch of epochs.",
    reason=("subscribe", "lost", "switch"),
)
FEED_READS = counter("quire_notifier_feed_reads_total", "Reads of the feed from Postgres.", kind=("tail", "replay", "http"))
CLOSED = counter(
    "quire_notifier_closed_total",
    "Connections closed by us, by the WebSocket's close code. Clients that were too slow: 3008, and sse for an event stream.",
    code=("3001", "3004", "3008", "3012", "3013", "3500", "3501", "3503", "sse"),
)
REFUSED = counter(
    "quire_notifier_refused_total", "WebSockets and event streams refused.", reason=("origin", "address", "subject")
)
PRUNED = counter("quire_notifier_pruned_total", "Feed messages removed because they were older than the retention.")

INDEXED = counter(
    "quire_notifier_texts_total",
    "Texts read for search: indexed, or lost because they are gone or are none.",
    outcome=("indexed", "lost"),
)
EXPORTS = gauge("quire_notifier_open_exports", "Exports that are being sent.")
EXPORTS_ENDED = counter(
    "quire_notifier_exports_total",
    "Exports that ended: whole, broken because something stayed away, or left by the client.",
    kind=("text", "original", "report"),
    outcome=("whole", "broken", "left"),
)
EXPORTED_BYTES = counter("quire_notifier_exported_bytes_total", "Bytes of exports.", kind=("text", "original", "report"))

REQUESTS = histogram(
    "quire_notifier_request_seconds",
    "Time from an HTTP request to the head of its answer.",
    _ANSWERS,
    operation="the route",
    status="the HTTP status",
)
