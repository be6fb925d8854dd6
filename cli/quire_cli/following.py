"""Follows a collection live: feeds its messages into a tracker, and wakes the tasks that wait for a change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Protocol

from msgspec import UNSET

from quire_cli.api import Answered, Api, patiently
from quire_cli.errors import CliError
from quire_client import Item, NotifierAway, Refused, Tracker, subscribe
from quire_schemas.messages import Snapshot, Subscribed
from quire_schemas.views import BatchView

GOES_ON = "The batches go on without being watched: see `quire batches` later."
PATIENCE_S = 60.0
"""Seconds for which a batch's state is asked for again while the notifier is away."""


class Listener(Protocol):
    def heard(self, item: Item) -> None:
        """Tells an item of the feed, after the tracker has taken it."""

    def lost(self, reason: str, pause: float) -> None:
        """Tells that the connection is lost; the next attempt is in `pause` seconds. The next call of `heard` ends the loss."""

    def fell_back(self, sentence: str) -> None:
        """Tells that no WebSocket can be opened to the notifier: the sentence says why, and what is done instead."""

    def unwatched(self) -> str:
        """Returns the sentence for a feed that has been given up: what goes on, or what the user has to do."""


class Following:
    """Follows one collection. `run` has to run in a task; it ends only by an exception or its cancellation."""

    def __init__(
        self, api: Api, collection: str, listener: Listener, give_up_after: float | None, *, everything: bool = False
    ) -> None:
        """With `everything`, tracks all active batches of the collection and counts their files. Without it, tracks only the
        batches that the feed names, and each of their files.
        """
        self.tracker = Tracker(files=not everything)
        self._everything = everything
        self._api = api
        self._collection = collection
        self._listener = listener
        self._give_up_after = give_up_after
        self._changed = asyncio.Condition()
        self.subscribed = asyncio.Event()

    async def run(self, after: int | None = None, epoch: str | None = None) -> None:
        """Follows the feed through lost connections. Raises CliError when the notifier refuses or stays away."""
        target = self._api.target
        feed = subscribe(
            target.notifier,
            self._collection,
            after,
            epoch,
            target.token,
            on_lost=self._listener.lost,
            on_fallback=self._listener.fell_back,
            give_up_after=self._give_up_after,
        )
        try:
            async with aclosing(feed):
                async for item in feed:
                    await self._take(item)
        except Refused as error:
            raise CliError(f"The notifier refuses the subscription: {error}.") from error
        except NotifierAway as error:
            raise CliError(f"{error}. {self._listener.unwatched()}") from error

    async def fetch(self, batch_ids: Iterable[str]) -> None:
        """Asks the notifier for the state of these batches. A batch that it does not know yet will come with the feed."""
        for batch_id in batch_ids:
            await self._fetch(batch_id)
        await self._tell()

    async def _fetch(self, batch_id: str) -> None:
        """Asks for a batch's state, again if the feed told of the batch meanwhile: an older answer must not undo that."""
        while True:
            told = self.tracker.told[batch_id]
            view = await self._view(batch_id)
            if self.tracker.told[batch_id] == told:
                break
        if view is not None:
            self.tracker.put([view])

    async def until(self, done: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(done)

    async def _take(self, item: Item) -> None:
        if isinstance(item, Subscribed) and item.snapshot is not UNSET:
            unknown = self.tracker.begin([item, *(await self._rest(item.epoch, item.snapshot) if self._everything else ())])
        else:
            unknown = self.tracker.take(item)
        if unknown:
            await self.fetch(unknown)
        self._listener.heard(item)
        self.subscribed.set()
        await self._tell()

    async def _rest(self, epoch: str, first: Snapshot) -> list[Subscribed]:
        """Returns the batches that the snapshot has no room for. The feed waits meanwhile, so each part is newer than all
        messages heard.
        """
        parts: list[Subscribed] = []
        cursor = first.next_cursor
        while cursor is not None:
            ask = partial(self._api.snapshot, self._collection, cursor)
            frames: list[Subscribed] = await patiently(ask, PATIENCE_S, self._listener.lost)
            if frames[-1].epoch != epoch:
                break  # the feed begins anew, and brings another snapshot
            parts += frames
            cursor = frames[-1].snapshot.next_cursor if frames[-1].snapshot is not UNSET else None
        return parts

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _view(self, batch_id: str) -> BatchView | None:
        try:
            view: BatchView = await patiently(lambda: self._api.batch(batch_id), PATIENCE_S, self._listener.lost)
        except Answered as error:
            if error.status != 404:
                raise
            return None
        return view
