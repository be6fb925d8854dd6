"""Every metric of the notifier, declared once. Those about the log's contents count in the live epoch only."""

from prometheus_client import Counter, Gauge, Histogram

_MOMENTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

EVENTS = Counter("quire_notifier_events_total", "Events of the log that were projected, by type.", ["type"])
ACCEPTED = Counter("quire_notifier_accepted_total", "Projected events that changed their batch.")
MESSAGES = Counter("quire_notifier_feed_messages_total", "Messages appended to the feed, by type.", ["type"])
BATCHES = Counter("quire_notifier_batches_total", "Batches that ended, by status.", ["status"])
FILES = Counter("quire_notifier_files_total", "Files that became settled, by standing and code.", ["standing", "code"])
BATCH_SECONDS = Histogram(
    "quire_notifier_batch_seconds",
    "From the first start of a batch's generation to its completion.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
)
PROJECTION_SECONDS = Histogram(
    "quire_notifier_projection_seconds", "Duration of the transaction that projects one poll.", buckets=_MOMENTS
)
PROJECTION_AGE = Histogram(
    "quire_notifier_projection_age_seconds", "From an event's time to the commit of what it meant.", buckets=_MOMENTS
)
CONFLICTS = Counter("quire_notifier_projection_conflicts_total", "Polls given up because another notifier had projected them.")
REBUILD_NEEDED = Gauge("quire_notifier_rebuild_needed", "1 while the projection stands still until `quire rebuild` is run.")

SOCKETS = Gauge("quire_notifier_sockets", "Open WebSockets.")
SUBSCRIPTIONS = Gauge("quire_notifier_subscriptions", "Subscriptions of open WebSockets and event streams.")
DELIVERIES = Counter("quire_notifier_deliveries_total", "Live messages written to subscribers.")
REPLAYED = Counter("quire_notifier_replayed_total", "Messages written to subscribers that catch up.")
SNAPSHOTS = Counter(
    "quire_notifier_snapshots_total", "Snapshots sent, by reason: subscribe, lost (the place asked for), switch.", ["reason"]
)
FEED_READS = Counter("quire_notifier_feed_reads_total", "Reads of the feed from Postgres, by kind: tail, replay, http.", ["kind"])
CLOSED = Counter(
    "quire_notifier_closed_total",
    "Connections closed by us, by close code; sse: an event stream whose client took nothing.",
    ["code"],
)
REFUSED = Counter("quire_notifier_refused_total", "WebSockets refused, by reason: origin, address.", ["reason"])
PRUNED = Counter("quire_notifier_pruned_total", "Feed messages removed because they were older than the retention.")

REQUESTS = Histogram(
    "quire_notifier_request_seconds",
    "Seconds from an HTTP request to the head of its answer, by route and status.",
    ["operation", "status"],
    buckets=_MOMENTS,
)
