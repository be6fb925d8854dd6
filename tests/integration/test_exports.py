"""Exports whose clients are slow, or go away: they hold a place, and give it back."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from zipfile import ZipFile

import httpx
import pytest
from tests.integration.client import PATIENCE_SECONDS, Client, serving
from tests.integration.stack import Stack
from tests.samples_pdf import corrupt_pdf

LARGE = 8_000_000
"""Bytes of a file. Four of them are more than what is on its way to a client that takes nothing and has a small buffer for it;
the kernel would let that buffer grow to the size of them all.
"""
_SMALL_BUFFER = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)]


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack, settings={"QUIRE_S3_POOL_SIZE": "8"}) as client:  # so that there is a place for one export
        [batch_id] = await client.accepted([(f"{number}.pdf", corrupt_pdf() + bytes(LARGE)) for number in range(4)])
        await client.ended(batch_id)
        yield client


async def test_who_leaves_or_takes_nothing_holds_a_place_only_as_long(client: Client) -> None:
    url = f"{client.quire.notifier_url}/api/export?collection_id=default&kind=original"
    for _ in range(3):
        async with _taker() as taker, taker.stream("GET", url) as slow:
            assert slow.status_code == 200
            await anext(slow.aiter_raw())
            refused = await client.http.get(url)
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            assert refused.headers["retry-after"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (answer := await client.http.get(url)).status_code == 503:
                await asyncio.sleep(0.05)
        archive = ZipFile(io.BytesIO(answer.content))
        assert archive.testzip() is None
        assert [entry.file_size for entry in archive.infolist()] == [len(corrupt_pdf()) + LARGE] * 4


def _taker() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(socket_options=_SMALL_BUFFER))
