"""What tests ask of running services, over HTTP, WebSocket, log and tables, as anybody would from outside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx
from tests.folding import folded
from tests.integration.stack import Quire, Stack
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from quire_local.services import Backing
from quire_runtime.scan import LogScan
from quire_runtime.settings import KafkaSettings
from quire_schemas.events import Event
from quire_schemas.states import BatchState

PATIENCE_SECONDS = 60.0
File = tuple[str, bytes]


@asynccontextmanager
async def serving(
    stack: Stack, *, backing: Backing | None = None, processors: int = 1, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Client]:
    """Services of one's own, and a client of them."""
    async with stack.services(backing, processors=processors, settings=settings) as quire:
        client = Client(quire)
        async with client.http:
            yield client


class Client:
    """`http` is for everything else."""

    def __init__(self, quire: Quire) -> None:
        self.quire = quire
        self.http = httpx.AsyncClient(timeout=60, trust_env=False)

    async def submit(
        self, files: Sequence[File], *, key: str | None = None, patience: float = 60, **params: str
    ) -> httpx.Response:
        parts = [("files", (name, content, "application/pdf")) for name, content in files]
        headers = {"Idempotency-Key": key} if key else {}
        url = f"{self.quire.ingest_url}/api/documents/process"
        return await self.http.post(url, params=params, files=parts, headers=headers, timeout=patience)

    async def accepted(self, files: Sequence[File], **params: str) -> list[str]:
        """The ids of the batches; every file has to be accepted."""
        answer = await self.submit(files, **params)
        assert answer.status_code == 202, answer.text
        body = answer.json()
        assert (body["accepted"], body["rejected"]) == (len(files), [])
        return [batch["batch_id"] for batch in body["batches"]]

    async def command(self, batch_id: str, command: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"{self.quire.ingest_url}/api/batches/{batch_id}/{command}", json=body)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.http.get(f"{self.quire.notifier_url}{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def batch(self, batch_id: str) -> dict[str, Any] | None:
        answer = await self.http.get(f"{self.quire.notifier_url}/api/batches/{batch_id}")
        return answer.json() if answer.status_code == 200 else None

    async def until(self, batch_id: str, what: Any) -> dict[str, Any]:
        """The batch, once `what(batch)` is true."""
        batch: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (batch := await self.batch(batch_id)) is None or not what(batch):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"in {PATIENCE_SECONDS:.0f} s the batch came as far as {batch}") from None
        return batch

    async def ended(self, batch_id: str) -> dict[str, Any]:
        batch = await self.until(batch_id, lambda batch: batch["ended_at"] is not None)
        assert batch["total"] == batch["processed"] + batch["failed"] + batch["cancelled"]
        return batch

    async def feed(self, collection_id: str) -> list[dict[str, Any]]:
        """Every message of the collection."""
        messages: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = await self.get(f"/api/collections/{collection_id}/feed", after=after, limit=500)
            messages += page["items"]
            after = page["next_cursor"]
        return messages

    async def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.quire.backing.postgres)
        try:
            return [dict(row) for row in await connection.fetch(sql, *args)]
        finally:
            await connection.close()

    async def lose(self, what: str) -> None:
        """Drops tables or a schema. Where that and services lock each other out, Postgres may end either."""
        while True:
            with suppress(asyncpg.DeadlockDetectedError):
                await self.rows(f"DROP {what}")
                return

    async def log(self) -> list[tuple[int, int, Event]]:
        """Every event with its partition and offset, in the order of its batch."""
        backing = self.quire.backing
        found: list[tuple[int, int, Event]] = []
        async with LogScan(KafkaSettings(bootstrap=backing.kafka, topic=backing.topic), "test") as scan:
            async for records in scan.read(await scan.begins(), await scan.ends()):
                found += [(record.partition, record.offset, record.event) for record in records if record.event is not None]
        return found

    async def folded(self) -> tuple[Mapping[str, BatchState], Counter[tuple[str, int]]]:
        """Where the log says that each batch stands, and how often each file was processed in a generation."""
        return folded([(offset, event) for _, offset, event in await self.log()])


async def close_code(socket: ClientConnection) -> int:
    """Reads until the other side has closed; its code."""
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass
    assert socket.close_code is not None
    return socket.close_code
