"""The feed through a proxy that lets no WebSocket through, and one that lets no event stream through either."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.integration.client import Client, serving
from tests.integration.fronts import Route, passing
from tests.integration.stack import Stack
from tests.samples_pdf import simple_pdf

from quire_client import over_http, subscribe
from quire_schemas.messages import FeedMessage, Subscribed

FILES = [(f"{number}.pdf", simple_pdf(f"{number}")) for number in range(30)]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack) as one:
        yield one


def refusing(url: str, refused: list[bytes], seen: list[bytes]) -> Route:
    """Passes on to `url` what does not hold any of these; `seen` are the words that were refused."""

    def route(head: bytes) -> tuple[bytes, str] | None:
        found = [word for word in refused if word in head.lower()]
        seen.extend(found)
        return None if found else (head, url)

    return route


WAYS = [[b"upgrade: websocket"], [b"upgrade: websocket", b"/events"]]


@pytest.mark.parametrize("refused", WAYS, ids=["event stream", "polling"])
async def test_python_sees_every_message_once(client: Client, refused: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "POLL_S", 0.1)
    name, told, seqs, met = f"python{len(refused)}", list[str](), list[int](), list[bytes]()
    async with (
        passing(refusing(client.quire.notifier_url, refused, met)) as url,
        asyncio.timeout(60),
        aclosing(subscribe(url, name, on_fallback=told.append)) as feed,
    ):
        assert isinstance(await anext(feed), Subscribed)
        for batch_id in await client.accepted(FILES, collection_id=name):
            await client.ended(batch_id)
        last = (await client.feed(name))[-1]["seq"]
        async for message in feed:
            assert isinstance(message, FeedMessage)
            seqs.append(message.seq)
            if message.seq == last:
                break
    assert seqs == list(range(1, last + 1))
    assert len(told) == 1
    assert set(met) == set(refused)


@pytest.mark.parametrize("refused", WAYS, ids=["event stream", "polling"])
async def test_javascript_sees_every_message_once(client: Client, node: tuple[str, Path], refused: list[bytes]) -> None:
    program, packages = node
    met = list[bytes]()
    for batch_id in await client.accepted(FILES, collection_id="c"):
        await client.ended(batch_id)
    before = (await client.feed("c"))[-1]["seq"]
    script = str(ROOT / "tests" / "notifier" / "falling_back.mjs")
    async with passing(refusing(client.quire.notifier_url, refused, met)) as url:
        arguments = [(ROOT / "clients" / "js" / "quire.js").as_uri(), url, "", "", str(packages)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = await asyncio.create_subprocess_exec(program, script, *arguments, **pipes)
        assert process.stderr is not None
        assert await asyncio.wait_for(process.stderr.readline(), 60) == b"subscribed\n"
        for batch_id in await client.accepted(FILES, collection_id="c"):
            await client.ended(batch_id)
        last = (await client.feed("c"))[-1]["seq"]
        output, _ = await asyncio.wait_for(process.communicate(str(last).encode()), 60)
    seen = json.loads(output)
    assert seen["seqs"] == list(range(before + 1, last + 1))
    assert (seen["subscribed"], len(seen["fallbacks"])) == ([[before, False]], 1)
    assert set(met) == set(refused)
