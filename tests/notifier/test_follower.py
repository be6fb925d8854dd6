"""Who waits for a rebuild goes on after it, whenever it came; and whoever reads notices it without a record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from quire_notifier.projecting import follower
from quire_notifier.projecting.epochs import Epoch, NeedsRebuild
from quire_notifier.projecting.follower import Follower
from quire_schemas.states import FOLD_VERSION


class Epochs:
    live = "old"

    async def of(self, _pool: Any) -> Epoch:
        return Epoch(self.live, FOLD_VERSION)


class Consumer:
    """The first one cannot go on; a rebuild switches while it leaves its group."""

    made = 0
    asked = 0

    def __init__(self, epochs: Epochs) -> None:
        Consumer.made += 1
        self._first = Consumer.made == 1
        self._epochs = epochs
        self._stop = asyncio.Event()

    def stop(self) -> None:
        self._stop.set()

    def ask_anew(self) -> None:
        Consumer.asked += 1

    async def check(self) -> None: ...

    async def run(self) -> None:
        if self._first:
            self._epochs.live = "new"
            raise NeedsRebuild("a table is lost")
        await self._stop.wait()


async def nobody() -> None: ...


async def test_a_rebuild_that_switched_before_it_was_waited_for_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    epochs, stop = Epochs(), asyncio.Event()
    monkeypatch.setattr(follower, "live_epoch", epochs.of)
    nowhere: Any = None
    follows = Follower(nowhere, lambda: Consumer(epochs), nobody)  # type: ignore[arg-type, return-value]
    running = asyncio.create_task(follows.run(stop))
    async with asyncio.timeout(5):
        while Consumer.made < 2:
            await asyncio.sleep(0.01)
    await follows.check_log()
    stop.set()
    await running


async def test_positions_are_asked_anew_where_tables_were_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    epochs, stop = Epochs(), asyncio.Event()
    monkeypatch.setattr(follower, "live_epoch", epochs.of)
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Consumer, "made", 1)  # none of the consumers is the first
    monkeypatch.setattr(Consumer, "asked", 0)
    nowhere: Any = None
    follows = Follower(nowhere, lambda: Consumer(epochs), nobody)  # type: ignore[arg-type, return-value]
    running = asyncio.create_task(follows.run(stop))
    async with asyncio.timeout(5):
        await asyncio.sleep(0.1)
        assert Consumer.asked == 0
        epochs.live = "made again"
        while Consumer.asked == 0:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert (Consumer.asked, Consumer.made) == (1, 2)
    stop.set()
    await running
