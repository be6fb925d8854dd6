"""The chart as Helm renders it, for the tests and for `make manifests`.

Helm is here as a library: helm-python-sdk holds Helm's own Go code. It runs in a process of its own, so that the Go runtime
meets neither our event loops nor the processes that other tests start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/quire"
RELEASE, NAMESPACE = "quire", "somewhere"

Object = dict[str, Any]
Values = dict[str, Any]


class Refused(Exception):
    """Helm does not take these values; the message is Helm's."""


class Loader(yaml.CSafeLoader):
    """As Kubernetes reads YAML: the same key twice is an error."""


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise yaml.constructor.ConstructorError(None, None, f"{twice} is there twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def render(values: Values, release: str = RELEASE) -> list[Object]:
    """Every object of the chart, hooks too, with these values over its defaults; raises Refused. Change none: they are kept."""
    return _objects(json.dumps(values), release)


def find(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of this kind whose name ends so."""
    (found,) = (made for made in objects if made["kind"] == kind and made["metadata"]["name"].removeprefix(f"{RELEASE}-") == name)
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """The template of every pod, or the pod itself, by the component that it is."""
    for made in objects:
        template = made["spec"].get("jobTemplate", made)["spec"].get("template", made) if "spec" in made else {}
        if "containers" in template.get("spec", {}):
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def documents(values: Values, release: str = RELEASE) -> Iterator[str]:
    """The text of every object; raises Refused."""
    for template, rendered in sorted(_rendered(json.dumps(values), release).items()):
        if template.endswith(".yaml"):
            yield from (part.strip("\n") + "\n" for part in f"\n{rendered}".split("\n---") if "kind:" in part)


def notes(values: Values) -> str:
    """What Helm says after an install; raises Refused."""
    return _rendered(json.dumps(values), RELEASE)["quire/templates/NOTES.txt"]


def lint(values: Values) -> list[str]:
    """What `helm lint --strict` finds, informations apart."""
    report = _helm().submit(_lint, values).result()
    return [*report["errors"], *(message["error"] for message in report["messages"] if message["severity"] > 1)]


def chart_values() -> Values:
    """The chart's defaults."""
    return yaml.load((CHART / "values.yaml").read_text("utf-8"), Loader)  # noqa: S506


@cache
def _helm() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


@cache
def _objects(values: str, release: str) -> list[Object]:
    return [yaml.load(document, Loader) for document in documents(json.loads(values), release)]  # noqa: S506 -- a CSafeLoader


@cache
def _rendered(values: str, release: str) -> dict[str, str]:
    return _helm().submit(_render, values, release).result()


def _render(values: str, release: str) -> dict[str, str]:
    from helm_python import Chart, HelmError  # noqa: PLC0415 -- in the process of its own only

    try:
        with Chart.load(CHART) as chart:
            return chart.render(json.loads(values), name=release, namespace=NAMESPACE)
    except HelmError as error:
        raise Refused(str(error)) from None


def _lint(values: Values) -> dict[str, Any]:
    import helm_python  # noqa: PLC0415 -- in the process of its own only

    return helm_python.lint(CHART, values, strict=True)
