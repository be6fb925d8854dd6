"""`make docs`: writes docs/metrics.md, the catalogue of all metrics, from their declarations. A test compares."""

from importlib import import_module
from itertools import groupby
from pathlib import Path

from quire_runtime.metrics import CATALOGUE, SERVICES, Declared, Values

TARGET = Path(__file__).with_name("metrics.md")
_HEAD = """# Metrics

*Made by `make docs` from the services' `metrics.py`; do not edit.*

Every process serves them on its ops port under `/metrics`, in Prometheus' text format: ingest 9100, notifier 9101, processor
9111. `docs/operate.md` has a scrape configuration, and says what each alert means. No label names a collection, batch or file.
A series whose labels are all of a closed set is there from the start, at 0. A gauge is `NaN` while its value cannot be known.
Beside these, each process has those of the Python client: `process_*` (memory, CPU, open files), `python_*`.
"""
_SECTIONS = {
    "build": "Every service",
    "log": "The log: producers and consumers",
    "scratch": "The scratch disk (ingest, processor)",
    "traces": "Traces, where they are on",
    "ingest": "ingest",
    "processor": "processor",
    "notifier": "notifier",
}


def catalogue() -> str:
    """The whole document."""
    for service in SERVICES:
        import_module(f"quire_{service}.metrics")
    parts = [_HEAD]
    order = list(_SECTIONS)
    declared = sorted(CATALOGUE.values(), key=lambda one: order.index(_section(one)))
    for section, metrics in groupby(declared, _section):
        rows = [f"| `{one.name}` | {one.kind} | {_unit(one)} | {_labels(one)} | {_meaning(one)} |" for one in metrics]
        head = ["| name | type | unit | labels and their values | meaning |", "|---|---|---|---|---|"]
        parts.append("\n".join([f"## {_SECTIONS[section]}", "", *head, *rows]) + "\n")
    return "\n".join(parts)


def _section(one: Declared) -> str:
    return one.name.split("_")[1]


def _unit(one: Declared) -> str:
    last = one.name.removesuffix("_total").rpartition("_")[2]
    return last if last in ("seconds", "bytes") else "number"


def _labels(one: Declared) -> str:
    return "; ".join(f"`{name}`: {_values(values)}" for name, values in one.labels.items())


def _values(values: Values) -> str:
    return values if isinstance(values, str) else ", ".join(f"`{value}`" for value in values)


def _meaning(one: Declared) -> str:
    buckets = ", ".join(f"{bound:g}" for bound in one.buckets)
    return f"{one.sentence} Buckets up to {buckets}." if buckets else one.sentence


if __name__ == "__main__":
    TARGET.write_text(catalogue(), "utf-8")
