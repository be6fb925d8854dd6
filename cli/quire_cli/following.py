"""A collection followed live: the feed into a tracker, and who waits for a change woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Protocol

from quire_cli.api import Answered, Api, patiently
from quire_cli.errors import CliError
from quire_cli.tracking import Tracker
from quire_schemas.client import Item, NotifierAway, Refused, subscribe
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

    def __init__(self, api: Api, collection: str, listener: Listener, give_up_after: float | None) -> None:
        self.tracker = Tracker()
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
        if unknown := self.tracker.take(item):
            await self.fetch(unknown)
        self._listener.heard(item)
        self.subscribed.set()
        await self._tell()

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
