"""A client of aiokafka that is told to go while it starts: it leaves no connection open."""

import asyncio

import pytest

from quire_runtime.kafka import started


async def test_a_start_that_is_cancelled_comes_to_its_end_first() -> None:
    answered, ended = asyncio.Event(), False

    async def start() -> None:
        nonlocal ended
        await answered.wait()
        ended = True

    starting = asyncio.create_task(started(start))
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.sleep(0)
    answered.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert ended


async def test_a_start_that_nobody_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire_runtime.kafka._END_WITHIN", 0.01)
    given_up = False

    async def start() -> None:
        nonlocal given_up
        try:
            await asyncio.Event().wait()
        finally:
            given_up = True

    starting = asyncio.create_task(started(start))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert given_up


async def test_what_fails_a_start_is_told() -> None:
    async def start() -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await started(start)
