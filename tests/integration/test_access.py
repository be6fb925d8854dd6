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
]
STATE = f"{BATCH}/state"
WRITING = ["/api/documents/process?collection_id=mine", "/api/batches/{batch}/cancel", "/api/batches/{batch}/retry"]


def token(scope: str = "quire:read quire:write", collections: Any = ("mine",), seconds: float = 600) -> str:
    expiry = datetime.now(UTC) + timedelta(seconds=seconds)
    return jwt.encode({"sub": "ann", "exp": expiry, "scope": scope, "collections": list(collections)}, SECRET)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


class Known:
    """Services under jwt, and a batch of the collection `mine`."""

    def __init__(self, client: Client, batch: str, file: dict[str, Any]) -> None:
        self.client, self.batch, self.file = client, batch, file

    def url(self, path: str) -> str:
        return self.client.quire.notifier_url + path.format(batch=self.batch, file=self.file["file_id"])

    async def write(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        url = self.client.quire.ingest_url + path.format(batch=self.batch)
        content: dict[str, Any] = {"files": [("f", ("a.pdf", simple_pdf()))]} if "process" in path else {"json": {}}
        answer = await self.client.http.post(url, headers=headers, **content)
        return answer.status_code, answer.json()["code"]

    async def read(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        answer = await self.client.http.get(self.url(path), headers=headers)
        return answer.status_code, answer.json().get("code", "")


@pytest.fixture(scope="module")
async def known(stack: Stack) -> AsyncIterator[Known]:
    settings = {"QUIRE_AUTH": "jwt", "QUIRE_AUTH_SECRET": SECRET, "QUIRE_AUTH_LEEWAY": "0", "QUIRE_AUTHENTICATE_S": "1"}
    async with serving(stack, settings=settings) as client:
        client.http.headers.update(bearer(token()))
        [batch] = await client.accepted([("a.pdf", simple_pdf())], collection_id="mine")
        [file] = (await client.ended(batch))["files"]
        client.http.headers.pop("Authorization")
        yield Known(client, batch, file)


@pytest.mark.parametrize("path", [*READING, STATE])
async def test_without_a_token_nothing_is_read(known: Known, path: str) -> None:
    assert await known.read(path, {}) == (401, "unauthenticated")
    assert await known.read(path, bearer("nonsense")) == (401, "unauthenticated")
    assert await known.read(path, bearer(token(seconds=-5))) == (401, "unauthenticated")


@pytest.mark.parametrize("path", [path for path in READING if path != BATCH])
async def test_who_may_only_write_does_not_read(known: Known, path: str) -> None:
    assert await known.read(path, bearer(token("quire:write"))) == (403, "forbidden")


@pytest.mark.parametrize("path", [BATCH, STATE])
async def test_who_may_write_may_read_where_a_batch_stands_but_no_contents(known: Known, path: str) -> None:
    answer = await known.client.http.get(known.url(path), headers=bearer(token("quire:write")))
    assert (answer.status_code, answer.json()["batch_id"]) == (200, known.batch)
    assert "signature" not in answer.text


@pytest.mark.parametrize("path", [path for path in [*READING, STATE] if "{" in path])
async def test_anothers_batch_or_file_is_as_if_it_were_not_there(known: Known, path: str) -> None:
    assert await known.read(path, bearer(token(collections=["other", "mine2*"]))) == (404, "not_found")


async def test_anothers_collection_is_refused_by_name_and_left_out_of_lists(known: Known) -> None:
    other = bearer(token(collections=["other", "m"]))
    named = ("/api/collections/mine/feed", "/api/collections/mine/events")
    for path in (*named, "/api/batches?collection_id=mine", "/api/files?collection_id=mine"):
        assert await known.read(path, other) == (403, "forbidden")
    for path in ("/api/collections", "/api/batches", f"/api/files?batch_id={known.batch}", "/api/stuck?older_than=0"):
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
