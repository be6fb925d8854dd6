"""Both services keep to the documents that they publish: what schemathesis makes of these is asked of them, and never ends in a
5xx; each answer has a declared status, a declared media type, and fits its schema. What is not as the document has it is refused.

The event stream, which does not end, is left out: tests/integration/test_hostile_queries.py asks for its head.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from tests.integration.client import Client, File, serving
from tests.integration.stack import Stack
from tests.samples_pdf import encrypted_pdf, simple_pdf

from quire_schemas.openapi import ingest, notifier
from quire_schemas.openapi.document import document

EXAMPLES = 6
"""Of each operation, in each of three manners."""
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
ENDLESS = "/api/collections/{collection_id}/events"
SCHEMAS = {service.name: schemathesis.openapi.from_dict(document(service)) for service in (ingest.SERVICE, notifier.SERVICE)}


def operations() -> Iterator[Any]:
    for name, schema in SCHEMAS.items():
        for result in schema.get_all_operations():
            operation = result.ok()
            if operation.path != ENDLESS:
                yield pytest.param(name, operation, id=f"{name} {operation.label}")


class Asked(NamedTuple):
    """Services that have an upload, and the ids in it."""

    client: Client
    ids: dict[str, str]

    def url(self, service: str) -> str:
        return self.client.quire.ingest_url if service == "ingest" else self.client.quire.notifier_url


@pytest.fixture(scope="module")
async def asked(stack: Stack) -> AsyncIterator[Asked]:
    async with serving(stack) as client:
        [batch_id] = await client.accepted([("a.pdf", simple_pdf("a lantern")), ("b.pdf", encrypted_pdf())])
        batch = await client.ended(batch_id)
        file = next(file for file in batch["files"] if file["processing_status"] == "processed")
        ids = {"batch_id": batch_id, "request_id": batch["request_id"], "file_id": file["file_id"], "collection_id": "default"}
        yield Asked(client, ids)


@pytest.mark.parametrize(("service", "operation"), list(operations()))
async def test_every_answer_is_as_the_document_says(asked: Asked, service: str, operation: Any) -> None:
    for strategy in manners(operation, asked.ids):
        await asyncio.to_thread(ask, strategy, asked.url(service))


def manners(operation: Any, ids: dict[str, str]) -> Iterator[SearchStrategy[Any]]:
    """About what is there; about anything (but commands, which wait for a batch that nobody knows yet); as it should not be."""
    there = {name: ids[name] for name in names(operation.path_parameters)}
    about = [{name: ids[name]} for name in ("request_id", "batch_id", "collection_id") if name in names(operation.query)][:1]
    yield operation.as_strategy(path_parameters=there or None, query=about[0] if about else None)
    if operation.method == "get":
        yield operation.as_strategy()
    if there or names(operation.query) or operation.body:
        yield operation.as_strategy(GenerationMode.NEGATIVE)


def names(parameters: Any) -> set[str]:
    return {parameter.name for parameter in parameters}


def ask(strategy: SearchStrategy[Any], url: str) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(case: Any) -> None:
        answer = case.call(base_url=url)
        busy = answer.status_code == 503 and "retry-after" in answer.headers
        case.validate_response(answer, checks=CHECKS if busy else [not_a_server_error, *CHECKS])

    one()


@pytest.mark.parametrize(
    ("file", "status"),
    [(("a.pdf", simple_pdf()), 202), (("a.txt", b"words"), 422), (("a.pdf", b""), 422)],
    ids=["a PDF", "text", "nothing"],
)
async def test_an_upload_is_answered_as_the_document_says(asked: Asked, file: File, status: int) -> None:
    answer = await asked.client.submit([file], key=file[0])
    assert answer.status_code == status
    await fits(answer, "/api/documents/process")
    again = await asked.client.submit([("b.pdf", simple_pdf("b"))], key=file[0])
    await fits(again, "/api/documents/process")
    assert again.json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(("of", "name"), [("batches", "batch_id"), ("requests", "request_id")])
async def test_a_command_is_answered_as_the_document_says(asked: Asked, of: str, name: str) -> None:
    [batch_id] = await asked.client.accepted([("a.pdf", encrypted_pdf())], collection_id="commands")
    batch = await asked.client.ended(batch_id)
    for command, status in (("cancel", 409), ("retry", 202)):
        answer = await asked.client.http.post(f"{asked.url('ingest')}/api/{of}/{batch[name]}/{command}")
        assert answer.status_code == status
        await fits(answer, f"/api/{of}/{{{name}}}/{command}")


@pytest.mark.parametrize(("kind", "struct"), [("text", "ExportedText"), ("report", "FileView")])
async def test_every_line_of_an_export_is_as_the_document_says(asked: Asked, kind: str, struct: str) -> None:
    params = {"collection_id": "default", "kind": kind}
    answer = await asked.client.http.get(f"{asked.url('notifier')}/api/export", params=params)
    schema = {"$ref": f"#/components/schemas/{struct}", "components": document(notifier.SERVICE)["components"]}
    lines = answer.text.splitlines()
    assert lines
    for line in lines:
        jsonschema.validate(json.loads(line), schema)


async def fits(answer: httpx.Response, path: str) -> None:
    await answer.request.aread()
    SCHEMAS["ingest"][path]["POST"].validate_response(answer)
