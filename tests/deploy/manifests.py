"""`make manifests`: writes what is made from something else, so that a test can hold it in step.

values.schema.json   the services' settings, from their structs
quire.yaml           the chart, rendered with deploy/kubernetes/values.yaml, for kubectl
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import yaml
from tests.deploy.chart import CHART, ROOT, documents

from quire_ingest.settings import IngestSettings
from quire_notifier.settings import NotifierSettings
from quire_processor.settings import ProcessorSettings
from quire_runtime.environment import PREFIX, _leaves

SCHEMA = CHART / "values.schema.json"
KUBERNETES = ROOT / "deploy/kubernetes"
MANIFEST = KUBERNETES / "quire.yaml"
SETTINGS = {"ingest": IngestSettings, "processor": ProcessorSettings, "notifier": NotifierSettings}

OWN = {
    *(f"QUIRE_KAFKA_{name}" for name in ("BOOTSTRAP", "TOPIC", "PARTITIONS", "REPLICATION", "MIN_INSYNC_REPLICAS")),
    *(f"QUIRE_KAFKA_{name}" for name in ("SECURITY_PROTOCOL", "SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD", "SSL_CAFILE")),
    *(f"QUIRE_S3_{name}" for name in ("ENDPOINT", "BUCKET", "REGION", "ACCESS_KEY", "SECRET_KEY")),
    *("QUIRE_AUTH", "QUIRE_AUTH_SECRET", "QUIRE_AUTH_KEY_FILE", "QUIRE_AUTH_JWKS_URL", "QUIRE_LINK_SECRET"),
    *("QUIRE_POSTGRES_DSN", "QUIRE_NOTIFIER_URL", "QUIRE_INGEST_URL", "QUIRE_ORIGINS"),
    *("QUIRE_HTTP_PORT", "QUIRE_OPS_PORT", "QUIRE_SCRATCH_DIR", "QUIRE_PREPARE", "QUIRE_PREPARE_GRANT_TO"),
}
"""What the chart says itself, by values of its own: there is one way to say a thing."""

SHARED_ONLY = {"QUIRE_BATCH_SIZE"}
"""What services have to agree about."""
NEVER_SHARED = {"QUIRE_GROUP"}
"""What has one name, and must not be the same."""

HEADER = """\
# Quire for `kubectl apply -f`: the chart deploy/helm/quire with deploy/kubernetes/values.yaml. Made by `make manifests`: change
# those, not this. docs/deploy.md says which Secrets have to be there.
"""


def settings_schemas() -> dict[str, dict[str, Any]]:
    """What values may set: for each service, and for all of them, which is what more than one has."""
    each = {name: _properties(cls) for name, cls in SETTINGS.items()}
    names = Counter(variable for properties in each.values() for variable in properties)
    shared = {variable for variable, services in names.items() if services > 1} - NEVER_SHARED
    together = {variable: kind for properties in each.values() for variable, kind in properties.items() if variable in shared}
    own = {
        f"{name}Settings": _closed({key: kind for key, kind in properties.items() if key not in SHARED_ONLY})
        for name, properties in each.items()
    }
    return {**own, "settings": _closed(together)}


def schema() -> str:
    """values.schema.json as it has to be: what is written by hand, and the settings of today."""
    whole = json.loads(SCHEMA.read_text("utf-8"))
    whole["$defs"] |= settings_schemas()
    return json.dumps(whole, indent=2) + "\n"


def manifest() -> str:
    """quire.yaml as it has to be: no hooks, accounts and settings first."""
    values = yaml.safe_load((KUBERNETES / "values.yaml").read_text("utf-8"))
    order = ("ServiceAccount", "ConfigMap", "Service")
    objects = [(document, yaml.safe_load(document)) for document in documents(values)]
    plain = [
        (document, made["kind"]) for document, made in objects if "helm.sh/hook" not in made["metadata"].get("annotations", {})
    ]
    plain.sort(key=lambda item: order.index(item[1]) if item[1] in order else len(order))
    return HEADER + "".join(f"---\n{document}" for document, _ in plain)


def _properties(cls: type[msgspec.Struct]) -> dict[str, Any]:
    leaves = [leaf for _, leaf in _leaves(cls, None, PREFIX)]
    return {leaf.env: _kind(leaf.type) | {"description": leaf.description} for leaf in leaves if leaf.env not in OWN}


def _kind(annotation: Any) -> dict[str, Any]:
    """JSON Schema of a setting, as it is written in a values file: a list is comma-separated text."""
    kind = msgspec.json.schema(annotation, schema_hook=lambda _: {"type": "string"})
    if "anyOf" in kind:  # a value, or none
        kind = next(option for option in kind["anyOf"] if option.get("type") != "null")
    if kind.get("type") == "array":
        return {"type": "string"}
    return {key: value for key, value in kind.items() if key not in {"description", "title"}}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": dict(sorted(properties.items()))}


def write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    write(SCHEMA, schema())
    write(MANIFEST, manifest())
