"""Whether objects are what a Kubernetes API takes.

Kubernetes' own kinds: by the schemas that the package kubernetes-validate brings. Those of operators: by crds.json, which holds
of each kind's schema what the chart uses, and no more. What is new in the chart is missing there: then take the full schemas,
`<kind>-<first part of the group>-<version>.json` in one directory as kubeconform wants them, and

    .venv/bin/python -m tests.deploy.schemas DIRECTORY

(kinds without a file there stay as they are: Strimzi publishes no schemas in a registry, and its kinds are written by hand).
"""

from __future__ import annotations

import json
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from tests.deploy.chart import Object, render
from tests.deploy.scenarios import SCENARIOS

CRDS = Path(__file__).parent / "crds.json"
BUNDLED = files("kubernetes_validate") / "kubernetes-json-schema"


def is_kubernetes_own(made: Object) -> bool:
    group = made["apiVersion"].rpartition("/")[0]
    return "." not in group or (group.endswith(".k8s.io") and not group.startswith("gateway."))


def file_name(made: Object) -> str:
    """Of the schema of this kind, as kubeconform has it."""
    group, _, version = made["apiVersion"].rpartition("/")
    return "-".join(part for part in (made["kind"].lower(), group.partition(".")[0], version) if part) + ".json"


def faults(made: Object, kubernetes: str) -> list[str]:
    """What a Kubernetes of this minor version, such as 1.30, would refuse in an object."""
    return _told(_own(kubernetes, file_name(made)) if is_kubernetes_own(made) else _trimmed(file_name(made)), made)


def faults_by(directory: Path, made: Object) -> list[str]:
    """What the full schema in a directory refuses."""
    return _told(Draft202012Validator(json.loads((directory / file_name(made)).read_text("utf-8"))), made)


def _told(validator: Draft202012Validator, made: Object) -> list[str]:
    name = f"{made['kind']} {made['metadata']['name']}"
    return [f"{name}: {error.json_path}: {error.message}" for error in validator.iter_errors(made)]


@cache
def _own(kubernetes: str, name: str) -> Draft202012Validator:
    directory = BUNDLED / f"v{kubernetes}.0-local-strict"
    schema = json.loads((directory / name).read_text("utf-8"))
    return Draft202012Validator(schema, registry=_definitions(kubernetes))


@cache
def _definitions(kubernetes: str) -> Registry[Any]:
    path = BUNDLED / f"v{kubernetes}.0-local-strict" / "_definitions.json"
    shared = Resource.from_contents(json.loads(path.read_text("utf-8")), DRAFT202012)
    return Registry().with_resource("_definitions.json", shared).crawl()


@cache
def _trimmed(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(CRDS.read_text("utf-8"))[name])


def trim(schema: Any, used: list[Any]) -> dict[str, Any]:
    """The part of a schema that says something about these values."""
    kept = {key: schema[key] for key in ("type", "enum", "pattern", "minimum", "maximum", "required", "oneOf") if key in schema}
    objects = [value for value in used if isinstance(value, dict)]
    if properties := schema.get("properties"):
        names = {name for value in objects for name in value} | set(schema.get("required", ()))
        kept["properties"] = {
            name: trim(properties[name], [value[name] for value in objects if name in value])
            for name in sorted(names & properties.keys())
        }
        kept["additionalProperties"] = False
    elif isinstance(more := schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = trim(more, [item for value in objects for item in value.values()])
    if "items" in schema:
        kept["items"] = trim(schema["items"], [item for value in used if isinstance(value, list) for item in value])
    return kept


def main(directory: Path) -> None:
    made = [made for values in SCENARIOS.values() for made in render(values) if not is_kubernetes_own(made)]
    trimmed = json.loads(CRDS.read_text("utf-8"))
    for name in {file_name(one) for one in made}:
        if (directory / name).exists():
            full = json.loads((directory / name).read_text("utf-8"))
            trimmed[name] = trim(full, [one for one in made if file_name(one) == name])
    CRDS.write_text(json.dumps(dict(sorted(trimmed.items())), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
