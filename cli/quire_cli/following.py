"""A collection followed live: the feed into a tracker, and who waits for a change woken."""

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
"""For a state that is asked for while the notifier is away."""


class Listener(Protocol):
    def heard(self, item: Item) -> None:
        """The tracker has taken it."""

    def lost(self, reason: str, pause: float) -> None:
        """No connection; the next attempt is in so many seconds. The next item heard says that it is back."""

    def fell_back(self, sentence: str) -> None:
        """No WebSocket leads to the notifier: why, and what is done instead."""

    def unwatched(self) -> str:
        """A sentence: what goes on, or has to be done, when nobody can be told any more."""


class Following:
    """Run `run` in a task; it ends by an exception only."""

    def __init__(
        self, api: Api, collection: str, listener: Listener, give_up_after: float | None, *, everything: bool = False
    ) -> None:
        """`everything`: all active batches of the collection are wanted, and the numbers of their files; else those that are
        heard of, and what becomes of each file.
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
        """Raises CliError when it is of no use to go on."""
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
        """Asks where these stand; one that the notifier does not know yet will come with the feed."""
        for batch_id in batch_ids:
            await self._fetch(batch_id)
        await self._tell()

    async def _fetch(self, batch_id: str) -> None:
        """Asks again where the feed has told something meanwhile: an answer that travelled must not undo it."""
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
        """The batches that a snapshot has no room for. The feed waits meanwhile: each part is newer than all that was heard."""
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
