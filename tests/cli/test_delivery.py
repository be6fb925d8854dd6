"""A submission that has not begun to send."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from quire_cli.api import Api
from quire_cli.delivery import Delivery, Phase
from quire_cli.errors import Interrupted
from quire_cli.gather import Chosen, Gathered
from quire_cli.interrupts import Presses
from quire_cli.options import first
from quire_cli.target import Target
from quire_cli.upload import Order
from quire_cli.views import PlainView


async def test_who_leaves_before_the_feed_has_answered_has_sent_nothing() -> None:
    connected = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server, httpx.AsyncClient() as client:
        port = server.sockets[0].getsockname()[1]
        api = Api(client, Target(f"http://127.0.0.1:{port}", None, None))
        gathered = Gathered(files=[Chosen(path=Path("a.pdf"), size=10, modified_ns=0)])
        delivery = Delivery(api, gathered, Order("default", "isolate", "key", 300), PlainView(), wait=True)
        presses = Presses()
        running = asyncio.create_task(delivery.run(presses))
        async with asyncio.timeout(10):
            await connected.wait()
            assert delivery.phase is Phase.CONNECTING
            presses.press()
            left = await asyncio.wait_for(_failure(running), 10)
    assert isinstance(left, Interrupted)
    assert str(left) == "Left. Nothing was sent."


async def _failure(task: asyncio.Task[int]) -> BaseException:
    with pytest.raises(BaseExceptionGroup) as failed:
        await task
    return first(failed.value)
