"""The alerts and the dashboard, as tests read them; and what their queries name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
import yaml

FILES = Path(__file__).parents[2] / "deploy" / "helm" / "quire" / "files"
RULES = FILES / "rules.yaml"

OF_EVERY_SCRAPE = {"job", "instance"}
"""Labels that Prometheus adds."""
OF_OTHERS = {
    "up",
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
}
"""Metrics of Prometheus itself and of its Python client."""


class Alert(NamedTuple):
    name: str
    expr: str
    severity: str
    annotations: dict[str, str]


class Panel(NamedTuple):
    """`queries` with Grafana's variables filled in."""

    title: str
    unit: str
    queries: list[str]


class Selector(NamedTuple):
    """`values`: of each label that is matched, the values, or regular expressions, that are named."""

    metric: str
    values: dict[str, list[str]]


def alerts() -> list[Alert]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"]["severity"], rule["annotations"])
        for group in groups
        for rule in group["rules"]
    ]


def dashboard() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text("utf-8"))
    return content


def panels() -> list[Panel]:
    return [
        Panel(
            panel["title"],
            panel["fieldConfig"]["defaults"].get("unit", ""),
            [filled(target["expr"]) for target in panel["targets"]],
        )
        for panel in dashboard()["panels"]
        if panel["type"] != "row"
    ]


def filled(query: str) -> str:
    """As Grafana sends it, with all jobs chosen."""
    return query.replace("$job", ".*").replace("$__rate_interval", "1m")


def selectors(query: str) -> list[Selector]:
    """Which series a query asks for. Raises ValueError where it is no PromQL."""
    return [
        Selector(node.name, {one.name: one.value.split("|") for one in node.matchers.matchers})
        for node in _nodes(query, promql.VectorSelector)
    ]


def grouped_by(query: str) -> set[str]:
    """The labels that a query groups by or matches on."""
    labels: set[str] = set()
    for node in _nodes(query, promql.AggregateExpr):
        labels |= set(node.modifier.labels) if node.modifier is not None else set()
    return labels


def _nodes(query: str, kind: type) -> list[Any]:
    found: list[Any] = []

    def visit(node: Any) -> None:
        found.extend([node] if isinstance(node, kind) else [])

    promql.walk(promql.parse(query), visit)
    return found
