"""Every endpoint of both services, and the sockets, with a token that will not do: 401, 403, or as if nothing were there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from tests.integration.client import Client, close_code, serving
from tests.integration.stack import Stack
from tests.samples_pdf import simple_pdf
from websockets.asyncio.client import connect

SECRET = "0123456789abcdef0123456789abcdef"
BATCH = "/api/batches/{batch}"
REQUEST = "/api/requests/{request}"
READING = [
    "/api/collections",
    "/api/collections/mine/feed",
    "/api/collections/mine/events",
    "/api/batches",
    BATCH,
    "/api/files",
    "/api/files/{file}",
    "/api/files/{file}/original",
    "/api/files/{file}/text",
    "/api/files/{file}/thumbnail",
    "/api/stuck",
    "/api/waiting",
    "/api/requests",
    REQUEST,
    "/api/requests/{request}/failures",
    "/api/feed?batch_id={batch}",
    "/api/files?in=text&q=Quire",
    "/api/export?collection_id=mine",
    "/api/export?request_id={request}",
    "/api/export?batch_id={batch}",
    "/api/export?file_id={file}",
    "/api/export/link?file_id={file}",
    "/api/export/link?batch_id={batch}",
]
STATES = "/api/requests/{request}/states"
STATE = f"{BATCH}/state"
WRITING = [
    "/api/documents/process?collection_id=mine",
    "/api/batches/{batch}/cancel",
    "/api/batches/{batch}/retry",
    "/api/requests/{request}/cancel",
    "/api/requests/{request}/retry",
]


def token(scope: str = "quire:read quire:write", collections: Any = ("mine",), seconds: float = 600) -> str:
    expiry = datetime.now(UTC) + timedelta(seconds=seconds)
    return jwt.encode({"sub": "ann", "exp": expiry, "scope": scope, "collections": list(collections)}, SECRET)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


class Known:
    """Services under jwt, and a batch of the collection `mine`."""

    def __init__(self, client: Client, batch: dict[str, Any]) -> None:
        self.client, self.batch, self.request = client, batch["batch_id"], batch["request_id"]
        [self.file] = batch["files"]

    def url(self, path: str) -> str:
        ids = {"batch": self.batch, "request": self.request, "file": self.file["file_id"]}
        return self.client.quire.notifier_url + path.format(**ids)

    async def write(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        url = self.client.quire.ingest_url + path.format(batch=self.batch, request=self.request)
        content: dict[str, Any] = {"files": [("f", ("a.pdf", simple_pdf()))]} if "process" in path else {"json": {}}
        answer = await self.client.http.post(url, headers=headers, **content)
        return answer.status_code, answer.json()["code"]

    async def read(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        answer = await self.client.http.get(self.url(path), headers=headers)
        return answer.status_code, answer.json().get("code", "")


@pytest.fixture(scope="module")
async def known(stack: Stack) -> AsyncIterator[Known]:
    settings = {
        "QUIRE_AUTH": "jwt",
        "QUIRE_AUTH_SECRET": SECRET,
        "QUIRE_AUTH_LEEWAY_SECONDS": "0",
        "QUIRE_AUTHENTICATE_SECONDS": "1",
    }
    async with serving(stack, settings=settings) as client:
        client.http.headers.update(bearer(token()))
        [batch] = await client.accepted([("a.pdf", simple_pdf())], collection_id="mine")
        ended = await client.ended(batch)
        client.http.headers.pop("Authorization")
        yield Known(client, ended)


@pytest.mark.parametrize("path", [*READING, STATE, STATES])
async def test_without_a_token_nothing_is_read(known: Known, path: str) -> None:
    assert await known.read(path, {}) == (401, "unauthenticated")
    assert await known.read(path, bearer("nonsense")) == (401, "unauthenticated")
    assert await known.read(path, bearer(token(seconds=-5))) == (401, "unauthenticated")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/events", "/docs/asyncapi.json", "/docs/openapi-ingest.json"])
async def test_the_contract_is_read_without_a_token_and_asked_for_again(known: Known, path: str) -> None:
    for address in {known.url(path), known.client.quire.ingest_url + "/openapi.json"}:
        answer = await known.client.http.get(address)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        same = await known.client.http.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize("path", [path for path in READING if path not in {BATCH, REQUEST}])
async def test_who_may_only_write_does_not_read(known: Known, path: str) -> None:
    assert await known.read(path, bearer(token("quire:write"))) == (403, "forbidden")


@pytest.mark.parametrize("path", [BATCH, STATE, REQUEST, STATES])
async def test_who_may_write_may_read_where_a_batch_stands_but_no_contents(known: Known, path: str) -> None:
    answer = await known.client.http.get(known.url(path), headers=bearer(token("quire:write")))
    assert answer.status_code == 200
    assert (known.request if path == REQUEST else known.batch) in answer.text
    assert "signature" not in answer.text


@pytest.mark.parametrize("path", [path for path in [*READING, STATE, STATES] if "{" in path])
async def test_anothers_batch_or_file_is_as_if_it_were_not_there(known: Known, path: str) -> None:
    assert await known.read(path, bearer(token(collections=["other", "mine2*"]))) == (404, "not_found")


async def test_anothers_collection_is_refused_by_name_and_left_out_of_lists(known: Known) -> None:
    other = bearer(token(collections=["other", "m"]))
    named = ("/api/collections/mine/feed", "/api/collections/mine/events")
    lists = [f"/api/{what}?collection_id=mine" for what in ("batches", "files", "requests", "failures", "export", "export/link")]
    for path in (*named, *lists, "/api/files?collection_id=mine&in=text&q=Quire"):
        assert await known.read(path, other) == (403, "forbidden")
    inside = [f"/api/files?batch_id={known.batch}", f"/api/files?request_id={known.request}", "/api/files?in=text&q=Quire"]
    inside += [f"/api/batches?request_id={known.request}", "/api/requests", "/api/failures", "/api/stuck?older_than=0"]
    inside += [f"/api/files?request_id={known.request}&order=upload"]
    for path in ("/api/collections", "/api/batches", *inside):
        answer = await known.client.http.get(known.url(path), headers=other)
        assert (answer.status_code, answer.json()["items"]) == (200, [])
    for allowed in (["mine"], ["mi*"], ["*"]):
        answer = await known.client.http.get(known.url("/api/batches"), headers=bearer(token(collections=allowed)))
        assert [batch["batch_id"] for batch in answer.json()["items"]] == [known.batch]


@pytest.mark.parametrize("path", WRITING)
async def test_writing_takes_a_token_with_the_scope_and_the_collection(known: Known, path: str) -> None:
    assert await known.write(path, {}) == (401, "unauthenticated")
    assert await known.write(path, bearer(token("quire:read"))) == (403, "forbidden")
    refusal = (403, "forbidden") if "process" in path else (404, "not_found")
    assert await known.write(path, bearer(token(collections=["other"]))) == refusal


async def test_links_to_contents_are_signed_and_good_for_a_while(known: Known) -> None:
    links = known.file["links"]
    for kind in ("original", "text", "thumbnail"):
        answer = await known.client.http.get(f"{known.client.quire.notifier_url}/{links[kind]}")
        assert answer.status_code == 200
        forged = links[kind].replace("signature=", "signature=0")
        assert await known.read(f"/{forged}", {}) == (403, "invalid_link")
    elsewhere = links["original"].replace("/original", "/text")
    assert await known.read(f"/{elsewhere}", {}) == (403, "invalid_link")


async def test_a_link_to_an_export_is_signed_for_just_that_export(known: Known) -> None:
    asked = known.url("/api/export/link?request_id={request}&kind=original&format=zip")
    link = (await known.client.http.get(asked, headers=bearer(token()))).json()["link"]
    answer = await known.client.http.get(known.url(f"/{link}"))
    assert (answer.status_code, answer.content[:2]) == (200, b"PK")
    assert await known.read("/" + link.replace("kind=original", "kind=text"), {}) == (403, "invalid_link")
    assert await known.read("/" + link.replace("request_id=", "collection_id=mine&x="), {}) == (403, "invalid_link")
    assert await known.read("/" + link.replace("expires=", "expires=1"), {}) == (403, "invalid_link")


def socket_url(known: Known, query: str = "") -> str:
    return known.client.quire.notifier_url.replace("http", "ws", 1) + "/ws" + query


async def test_a_socket_takes_its_token_from_the_header_or_the_first_message(known: Known) -> None:
    async with connect(socket_url(known, "?collection_id=mine"), additional_headers=bearer(token())) as socket:
        assert json.loads(await socket.recv())["type"] == "SUBSCRIBED"
    async with connect(socket_url(known)) as socket:
        await socket.send(json.dumps({"type": "AUTHENTICATE", "token": token()}))
        assert json.loads(await socket.recv())["type"] == "AUTHENTICATED"
        await socket.send('{"type":"SUBSCRIBE","collection_id":"mine"}')
        assert json.loads(await socket.recv())["type"] == "SUBSCRIBED"


async def test_a_socket_without_a_valid_token_is_closed_with_3500(known: Known) -> None:
    async with connect(socket_url(known)) as silent:
        assert await close_code(silent) == 3500
    async with connect(socket_url(known)) as hasty:
        await hasty.send('{"type":"SUBSCRIBE","collection_id":"mine"}')
        assert json.loads(await hasty.recv())["code"] == "unauthenticated"
        assert await close_code(hasty) == 3500
    async with connect(socket_url(known), additional_headers=bearer("nonsense")) as wrong:
        assert await close_code(wrong) == 3500


async def test_a_socket_is_closed_when_its_token_expires(known: Known) -> None:
    async with connect(socket_url(known, "?collection_id=mine"), additional_headers=bearer(token(seconds=2))) as socket:
        assert json.loads(await socket.recv())["type"] == "SUBSCRIBED"
        assert await close_code(socket) == 3500


async def test_a_socket_may_not_have_anothers_collection(known: Known) -> None:
    async with connect(
        socket_url(known, "?collection_id=mine"), additional_headers=bearer(token(collections=["other"]))
    ) as socket:
        assert json.loads(await socket.recv())["code"] == "forbidden"
        assert await close_code(socket) == 3503
