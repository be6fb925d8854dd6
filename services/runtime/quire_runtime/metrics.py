"""The metrics that every service has, each with a sentence; a service's own are in its own `metrics.py`."""

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter("quire_log_published_total", "Events acknowledged by all in-sync replicas.", ["type"])
PUBLISH_FAILED = Counter("quire_log_publish_failed_total", "Events whose acknowledgement did not come; they may still arrive.")
PUBLISH_SECONDS = Histogram(
    "quire_log_publish_seconds",
    "Time from handing an event over to its acknowledgement.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PRODUCERS = Counter("quire_log_producers_total", "Producers made; more than one per process means that one had to be replaced.")

CONSUMED = Counter("quire_log_consumed_total", "Records read from the log.")
INVALID = Counter("quire_log_invalid_total", "Records left behind because they cannot be decoded or are in a wrong partition.")
UNKNOWN = Counter("quire_log_unknown_type_total", "Records skipped because their type is not known to this version.")
LAG = Gauge("quire_log_lag_records", "Records between what was handled and the end of the assigned partitions.")
ASSIGNED = Gauge("quire_log_assigned_partitions", "Partitions that this process has in its consumer group.")
REBALANCES = Counter("quire_log_rebalances_total", "Assignments received from the consumer group.")
RECONNECTS = Counter("quire_log_reconnects_total", "Consumers given up and made anew after an error.")

SPANS = Counter("quire_traces_spans_total", "Spans that the collector of traces has taken.")
SPANS_DROPPED = Counter(
    "quire_traces_dropped_total",
    "Spans that were dropped, by reason: refused (the collector is away, or does not take them), full (more than it takes).",
    ["reason"],
)
