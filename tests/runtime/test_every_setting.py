"""Every setting of every service can be set, to its default or to an example."""

import ast
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quire_ingest.settings import IngestSettings
from quire_notifier.settings import NotifierSettings
from quire_processor.settings import ProcessorSettings
from quire_runtime.environment import PREFIX, _leaves
from quire_runtime.settings import describe, load, values

SERVICES: list[Any] = [IngestSettings, NotifierSettings, ProcessorSettings]
ENOUGH = {"QUIRE_POSTGRES_DSN": "postgresql://quire:x@127.0.0.1/quire"}
EXAMPLES = {
    "QUIRE_KAFKA_MIN_INSYNC_REPLICAS": "1",
    "QUIRE_KAFKA_SASL_USERNAME": "quire",
    "QUIRE_KAFKA_SASL_PASSWORD": "x",
    "QUIRE_KAFKA_SSL_CAFILE": "/etc/ssl/ca.pem",
    "QUIRE_S3_ENDPOINT": "http://127.0.0.1:9000",
    "QUIRE_S3_ACCESS_KEY": "quire",
    "QUIRE_S3_SECRET_KEY": "x",
    "QUIRE_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces",
    "QUIRE_AUTH_ALGORITHMS": "HS256",
    "QUIRE_AUTH_SECRET": "0123456789abcdef0123456789abcdef",
    "QUIRE_AUTH_KEY_FILE": "/etc/quire/key.pem",
    "QUIRE_AUTH_JWKS_URL": "https://sso.example.org/jwks",
    "QUIRE_AUTH_AUDIENCE": "quire",
    "QUIRE_AUTH_ISSUER": "https://sso.example.org",
    "QUIRE_PREPARE_GRANT_TO": "quire_notifier,quire_processor",
    "QUIRE_INGEST_URL": "http://127.0.0.1:8001",
    "QUIRE_ORIGINS": "https://quire.example.org,https://example.org",
    "QUIRE_LINK_SECRET": "0123456789abcdef0123456789abcdef",
    "QUIRE_WORKER_NAME": "processor-1",
    "QUIRE_TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8,192.0.2.7",
}
"""Of those that have no default."""


@pytest.mark.parametrize("cls", SERVICES)
def test_what_is_set_to_its_default_is_as_if_it_were_not_set(cls: type[msgspec.Struct]) -> None:
    defaults = {item.env: item.default for item in describe(cls) if item.default and not item.secret}
    assert load(cls, ENOUGH | defaults) == load(cls, ENOUGH)


@pytest.mark.parametrize("cls", SERVICES)
def test_what_has_no_default_takes_an_example(cls: type[msgspec.Struct]) -> None:
    wanted = {item.env for item in describe(cls) if not item.default} - ENOUGH.keys()
    assert wanted <= EXAMPLES.keys()
    given = {env: EXAMPLES[env] for env in wanted}
    shown = values(load(cls, ENOUGH | given))
    assert {env: shown[env] for env in wanted if shown[env].strip("•")} == {
        item.env: given[item.env] for item in describe(cls) if item.env in wanted and not item.secret
    }


@pytest.mark.parametrize("cls", SERVICES)
def test_a_setting_in_seconds_says_so_in_its_name(cls: type[msgspec.Struct]) -> None:
    numbers = [item for item in describe(cls) if item.type == "a number"]
    assert {item.env for item in numbers if "econds" in item.description} == {
        item.env for item in numbers if item.env.endswith("_SECONDS")
    }


@pytest.mark.parametrize("cls", SERVICES)
def test_every_setting_is_handed_to_some_part(cls: type[msgspec.Struct]) -> None:
    package = cls.__module__.partition(".")[0]
    read = _attributes(package) | _attributes("quire_runtime")
    declared = {".".join(path): path[-1] for path, _ in _leaves(cls, None, PREFIX)}
    assert {path for path, field in declared.items() if field not in read} == set()


def _attributes(package: str) -> set[str]:
    """What is read of anything by its name; that something is checked does not make it have an effect."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in Path(str(files(package))).rglob("*.py"))
    return {name for tree in trees for name in _read(tree)}


def _read(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield node.attr
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.FunctionDef) and child.name == "problems"):
            yield from _read(child)
