"""Functions to declare metrics, and the metrics that every service has. A service's own metrics are in its `metrics.py`.

The values of a label are a closed set, and each has a series with 0 from the start. Where the set is not ours, a sentence says
what the values are.
"""

import math
import shutil
from collections.abc import Callable
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from quire_schemas.events import TYPES

disable_created_metrics()  # type: ignore[no-untyped-call]  # no second series with the time of creation

M = TypeVar("M", Counter, Gauge, Histogram)
Values = tuple[str, ...] | str

NOT_KNOWN = math.nan
"""The value of a gauge while its true value is not known: an old value would mislead."""


class Declared(NamedTuple):
    """An entry of the catalogue, docs/metrics.md."""

    name: str
    kind: str
    sentence: str
    labels: dict[str, Values]
    buckets: tuple[float, ...]


CATALOGUE: dict[str, Declared] = {}


def counter(name: str, sentence: str, **labels: Values) -> Counter:
    return _declared(Counter, name, sentence, labels)


def gauge(name: str, sentence: str, **labels: Values) -> Gauge:
    return _declared(Gauge, name, sentence, labels)


def histogram(name: str, sentence: str, buckets: tuple[float, ...], **labels: Values) -> Histogram:
    return _declared(Histogram, name, sentence, labels, buckets=buckets)


def _declared(kind: Callable[..., M], name: str, sentence: str, labels: dict[str, Values], **more: Any) -> M:
    metric = kind(name, sentence, tuple(labels), **more)
    CATALOGUE[name] = Declared(name, type(metric).__name__.lower(), sentence, labels, more.get("buckets", ()))
    closed = [values for values in labels.values() if not isinstance(values, str)]
    if closed and len(closed) == len(labels):
        for values in product(*closed):
            metric.labels(*values)
    return metric


SERVICES = ("ingest", "processor", "notifier")
BUILD_INFO = gauge("quire_build_info", "1, with the service and its version as labels.", service=SERVICES, version="the version")

_PUBLISHED = counter("quire_log_published_total", "Events acknowledged by all in-sync replicas.", type=tuple(TYPES))
PUBLISHED = {kind: _PUBLISHED.labels(kind) for kind in TYPES}
PUBLISH_FAILED = counter("quire_log_publish_failed_total", "Events whose acknowledgement did not come; they may still arrive.")
PUBLISH_SECONDS = histogram(
    "quire_log_publish_seconds",
    "Time from handing an event over to its acknowledgement.",
    # From the producer's linger of 5 ms to the default of QUIRE_KAFKA_PUBLISH_TIMEOUT_SECONDS.
    (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PRODUCERS = counter("quire_log_producers_total", "Producers made; more than one per process means that one had to be replaced.")

_GROUP = "the consumer group, QUIRE_GROUP"
CONSUMED = counter("quire_log_consumed_total", "Records read from the log and handled.", group=_GROUP)
INVALID = counter("quire_log_invalid_total", "Records left behind because they cannot be decoded or are in a wrong partition.")
UNKNOWN = counter("quire_log_unknown_type_total", "Records skipped because their type is not known to this version.")
LAG = gauge(
    "quire_log_lag_records",
    "Records between what was handled and the end of the assigned partitions; not a number while that cannot be known.",
    group=_GROUP,
)
ASSIGNED = gauge(
    "quire_log_assigned_partitions",
    "Partitions that this process has in its consumer group; 0 while Kafka is away.",
    group=_GROUP,
)
UNPLACED = gauge(
    "quire_log_unplaced_partitions",
    "Assigned partitions that are not read yet, because the place to go on from is not known: Postgres or Kafka does not say.",
    group=_GROUP,
)
REBALANCES = counter("quire_log_rebalances_total", "Assignments received from the consumer group.")
RECONNECTS = counter("quire_log_reconnects_total", "Consumers given up and made anew after an error.")

SPANS = counter("quire_traces_spans_total", "Spans that the collector of traces has taken.")
SPANS_DROPPED = counter(
    "quire_traces_dropped_total",
    "Spans that were dropped, by reason: refused (the collector is away, or does not take them), full (more than it takes).",
    reason=("refused", "full"),
)

_DIRECTORY = "QUIRE_SCRATCH_DIR"
SCRATCH_FREE = gauge("quire_scratch_free_bytes", "Bytes free where files lie while they are worked on.", directory=_DIRECTORY)
SCRATCH_SIZE = gauge("quire_scratch_size_bytes", "Bytes of that disk in all.", directory=_DIRECTORY)


def built(service: str) -> None:
    """Sets the build info to this service. Must be called by the service's own `metrics.py`."""
    BUILD_INFO.labels(service, version(f"quire-{service}")).set(1)


def watch_scratch(directory: Path) -> None:
    """Measures the disk of this directory at each scrape (2 µs)."""

    def asked(field: str) -> float:
        try:
            return float(getattr(shutil.disk_usage(directory), field))
        except OSError:
            return NOT_KNOWN

    SCRATCH_FREE.labels(directory).set_function(lambda: asked("free"))
    SCRATCH_SIZE.labels(directory).set_function(lambda: asked("total"))
