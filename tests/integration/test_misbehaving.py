"""Clients that misbehave, against the real services: they cost little, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from tests.integration.client import Client, serving
from tests.integration.stack import Quire, Stack
from tests.samples_pdf import simple_pdf

from quire_client import subscribe
from quire_local.ports import free_ports
from quire_schemas.messages import BatchCompletedMessage

PATIENCE = 60.0


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    settings = {"QUIRE_IDLE_TIMEOUT_SECONDS": "1", "QUIRE_COMMAND_TIMEOUT_SECONDS": "1", "QUIRE_POSTGRES_POOL_SIZE": "2"}
    settings |= {"QUIRE_BATCH_SIZE": "10", "QUIRE_MAX_FILES": "30", "QUIRE_MAX_COMMAND_KIB": "32"}
    async with serving(stack, settings=settings) as one:
        yield one


async def dripped(url: str, path: str, content_type: str, body: bytes) -> bytes:
    """The answer to a body that comes a byte every 50 ms, and would take minutes."""
    port = httpx.URL(url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: 100000\r\n\r\n".encode()
    )

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            for byte in body.ljust(10_000):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    try:
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.read(65_536)
    finally:
        dripping.cancel()
        writer.transport.abort()


async def test_an_upload_that_drips_is_given_up(client: Client) -> None:
    start = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.pdf"\r\n\r\n%PDF-1.7'
    answer = await dripped(client.quire.ingest_url, "/api/documents/process", "multipart/form-data; boundary=b", start)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"too_slow"' in answer


@pytest.mark.parametrize("command", ["cancel", "retry"])
async def test_so_is_a_command(client: Client, command: str) -> None:
    path = f"/api/batches/00000000-0000-4000-8000-000000000000/{command}"
    answer = await dripped(client.quire.ingest_url, path, "application/json", b"{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"too_slow"' in answer


@pytest.mark.parametrize("command", ["cancel", "retry"])
async def test_a_command_that_is_too_large_is_refused(client: Client, command: str) -> None:
    url = f"{client.quire.ingest_url}/api/batches/00000000-0000-4000-8000-000000000000/{command}"
    answer = await client.http.post(url, content=b'{"reason": "' + b"a" * 2**15 + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert answer.json()["detail"] == "A command takes at most 32768 bytes."


async def test_an_upload_that_announces_more_than_the_limit_is_refused_before_any_of_it_runs(client: Client) -> None:
    limit = (await client.get("/api/config"))["limits"]["max_request_bytes"]
    files = [("files", (f"{number}.pdf", simple_pdf(f"{number}"))) for number in range(10)]
    url = f"{client.quire.ingest_url}/api/documents/process?collection_id=announced"
    request = client.http.build_request("POST", url, files=files, headers={"Idempotency-Key": "announced"})
    reader, writer = await asyncio.open_connection("127.0.0.1", request.url.port)
    request.headers["content-length"] = str(limit + 1)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    writer.write(f"POST {request.url.raw_path.decode()} HTTP/1.1\r\n{head}\r\n".encode() + await request.aread())
    async with asyncio.timeout(PATIENCE):  # a whole batch is there, and the rest of the body never comes
        answer = await reader.readuntil(b"\r\n\r\n") + await reader.read(65_536)
    writer.transport.abort()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"request_too_large"' in answer
    assert not [event for _, _, event in await client.log() if event.collection_id == "announced"]


async def test_of_an_upload_above_a_limit_it_is_said_what_runs(client: Client) -> None:
    most = (await client.get("/api/config"))["limits"]["max_files"]
    assert most == 30
    files = [(f"{number}.pdf", simple_pdf(f"{number}")) for number in range(most + 1)]
    answer = await client.submit(files, key="too many", collection_id="many")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_files")
    running = [batch["batch_id"] for batch in answer.json()["batches"]]
    assert len(running) == 3
    for batch_id in running:
        await client.ended(batch_id)
    listed = (await client.get("/api/batches", collection_id="many"))["items"]
    assert {batch["batch_id"] for batch in listed} == set(running)


async def test_events_are_projected_and_pushed_while_readers_of_the_api_wait(client: Client) -> None:
    connection = await asyncpg.connect(client.quire.backing.postgres)
    try:
        # Whoever reads file_metadata waits for this lock; the projection only inserts, and does not.
        await connection.execute("CREATE TABLE notifier.held () INHERITS (notifier.file_metadata)")
        async with asyncio.TaskGroup() as group, connection.transaction():
            await connection.execute("LOCK TABLE notifier.held IN ACCESS EXCLUSIVE MODE")
            search = f"{client.quire.notifier_url}/api/files?name=nothing"
            readers = [group.create_task(client.http.get(search)) for _ in range(10)]
            await asyncio.sleep(0.5)
            async with asyncio.timeout(PATIENCE), aclosing(subscribe(client.quire.notifier_url, "pushed")) as feed:
                await anext(feed)
                await client.accepted([("a.pdf", simple_pdf())], collection_id="pushed")
                async for message in feed:
                    if isinstance(message, BatchCompletedMessage):
                        break
            assert not any(reader.done() for reader in readers)
        assert {reader.result().status_code for reader in readers} == {200}
    finally:
        await connection.execute("DROP TABLE notifier.held")
        await connection.close()


@asynccontextmanager
async def notifier_with_few_files(quire: Quire, most: int, log: Path) -> AsyncIterator[tuple[int, httpx.AsyncClient]]:
    """One more notifier, that may have so many files open: its port, and a client of its ops port."""
    port, ops = free_ports(2)
    environment = quire.env() | {"QUIRE_HTTP_PORT": str(port), "QUIRE_OPS_PORT": str(ops), "QUIRE_GROUP": f"few-{port}"}
    command = ("sh", "-c", f'ulimit -n {most}; exec "$0" -m quire_notifier', sys.executable)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=output, stderr=output)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ops}", trust_env=False, timeout=PATIENCE) as machine:
            async with asyncio.timeout(PATIENCE):
                while not await ready(machine):
                    await asyncio.sleep(0.2)
            yield port, machine
    finally:
        process.terminate()
        await process.wait()


async def ready(machine: httpx.AsyncClient) -> bool:
    try:
        return (await machine.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


HANDSHAKE = (
    b"GET /ws?collection_id=default HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="it counts open files as Linux does")
@pytest.mark.parametrize("said", [b"", b"GET / HTTP", HANDSHAKE], ids=["nothing", "half a head", "a WebSocket"])
async def test_however_many_connections_there_are_the_ops_port_answers(client: Client, tmp_path: Path, said: bytes) -> None:
    log = tmp_path / "log"
    async with notifier_with_few_files(client.quire, 120, log) as (port, machine), contextlib.AsyncExitStack() as stack:
        for _ in range(300):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            with contextlib.suppress(ConnectionError):  # the last ones may be refused already
                idle.sendall(said)
        await asyncio.sleep(0.5)
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(), trust_env=False) as fresh:
            for path in ("/livez", "/readyz", "/metrics"):
                assert (await fresh.get(f"{machine.base_url}{path}")).status_code == 200
            if said != HANDSHAKE:  # who asks for nothing gives way to one who does
                assert (await fresh.get(f"http://127.0.0.1:{port}/api/config")).status_code == 200
        assert "connections run out" in log.read_text()


async def test_every_answer_says_how_it_may_be_taken_and_kept(client: Client) -> None:
    [batch] = await client.accepted([("a.pdf", simple_pdf())])
    [file] = (await client.ended(batch))["files"]
    notifier, ingest = client.quire.notifier_url, client.quire.ingest_url
    urls = [notifier, f"{notifier}/quire.js", f"{notifier}/nothing", f"{notifier}/api/config", f"{notifier}/api/files", ingest]
    urls += [f"{ingest}/nothing", *(f"{notifier}/{link}" for link in file["links"].values()), client.quire.ops_url("notifier")]
    for url in urls:
        answer = await client.http.get(url)
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], url
        assert len(answer.headers.get_list("cache-control")) == 1, url
    assert (await client.http.get(f"{notifier}/api/files")).headers["cache-control"] == "no-store"


async def test_the_snapshot_is_what_a_subscriber_is_told_at_first(client: Client) -> None:
    async with aclosing(subscribe(client.quire.notifier_url, "snapshot")) as feed:
        subscribed = await anext(feed)
    [told] = await client.get("/api/collections/snapshot/snapshot")
    assert (told["type"], told["epoch"], told["seq"]) == ("SUBSCRIBED", subscribed.epoch, subscribed.seq)
    assert json.dumps(told["snapshot"]["batches"]) == "[]"
