"""One `quire submit`: uploads the files and follows their batches to the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from msgspec import UNSET

from quire_cli import words
from quire_cli.api import Answered, Api, BrokenOff
from quire_cli.errors import CliError, HalfAccepted, Interrupted
from quire_cli.following import GOES_ON, Following
from quire_cli.gather import Chosen, Gathered
from quire_cli.interruption import Interruption
from quire_cli.interrupts import Pressed, Presses
from quire_cli.own_batches import OwnBatches
from quire_cli.results import Result
from quire_cli.upload import Order, upload
from quire_client import Batch, Item
from quire_schemas.messages import AnyFeedMessage, Subscribed
from quire_schemas.views import Accepted, RejectedFile

REFRESH_S = 0.125
STRAGGLERS_S = 1.0
"""Seconds within which the feed shows a batch that was being stored when the upload was stopped."""
REASON = "interrupted by the user"


class Phase(Enum):
    """Phases of a delivery, in order. The upload begins only when the feed has answered."""

    CONNECTING = "connecting"
    UPLOADING = "uploading"
    FOLLOWING = "following"


class View(Protocol):
    """Shows a delivery: on a terminal, as plain lines, or as JSON lines."""

    asks: bool
    """Whether `ask` may be called: the user can be asked a question."""

    def begin(self, delivery: Delivery) -> None: ...
    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None: ...
    def again(self, reason: str, pause: float) -> None: ...
    def message(self, message: AnyFeedMessage, batch: Batch) -> None: ...
    def standing(self, batch: Batch) -> None:
        """Shows the state of a batch whose messages were not heard: it is older than the command, or the feed lost them."""

    def lost(self, reason: str, pause: float) -> None: ...
    def fell_back(self, sentence: str) -> None: ...
    def back(self) -> None: ...
    def refresh(self) -> None: ...
    async def ask(self, question: str) -> str: ...
    def end(self, result: Result) -> None: ...
    def close(self) -> None:
        """Restores the terminal. May be called twice, and without a call of `end`."""


class Delivery:
    """Uploads the files and tells the view what happens to them; with `wait`, until their batches have ended."""

    def __init__(self, api: Api, gathered: Gathered, order: Order, view: View, *, wait: bool) -> None:
        self.gathered = gathered
        self.order = order
        self.phase = Phase.CONNECTING if wait else Phase.UPLOADING
        self.sent_bytes = 0
        self.started = time.monotonic()
        self.following = Following(api, order.collection, self, give_up_after=order.patience)
        self.batches = OwnBatches(gathered.files, self.following.tracker)
        self._api = api
        self._view = view
        self._wait = wait
        self._stopped = False
        self._lost = False
        self._accepted = 0
        self._rejected: list[RejectedFile] = []

    # called by the upload

    def sending(self, sent: int) -> None:
        self.sent_bytes = sent

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:
        self._accepted += answer.accepted
        self._rejected += answer.rejected
        self._view.sent(files, answer)
        for batch_id in [batch.batch_id for batch in answer.batches]:
            self._claim(batch_id)

    def again(self, reason: str, pause: float) -> None:
        self._view.again(reason, pause)

    # called by the feed

    def heard(self, item: Item) -> None:
        if self._lost:
            self._lost = False
            self._view.back()
        if isinstance(item, Subscribed):
            self._resynced(item)
        elif self.batches.take(item):
            self._view.message(item, self._batch(item.batch_id))

    def lost(self, reason: str, pause: float) -> None:
        self._lost = True
        self._view.lost(reason, pause)

    def fell_back(self, sentence: str) -> None:
        self._view.fell_back(sentence)

    def unwatched(self) -> str:
        if self.phase is Phase.FOLLOWING:
            return GOES_ON
        return f"The upload is not finished. Submit the same again with --key {self.order.key}: nothing is doubled."

    def _resynced(self, item: Subscribed) -> None:
        if item.snapshot is not UNSET:
            for batch in self.batches.sure:
                self._view.standing(batch)

    def _claim(self, batch_id: str) -> None:
        for message in self.batches.claim(batch_id):
            self._view.message(message, self._batch(batch_id))

    def _batch(self, batch_id: str) -> Batch:
        return self.following.tracker.batches[batch_id]

    # the steps of a delivery

    async def run(self, presses: Presses) -> int:
        """Runs the delivery; returns its exit code. Raises CliError when it fails, Interrupted when the user leaves."""
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self.following.run())] if self._wait else []
            self._view.begin(self)
            helpers.append(group.create_task(self._ticks()))
            await self._subscribed(presses)
            work = group.create_task(self._send_and_follow())
            asking = self._view.ask if self._view.asks else None
            interruption = Interruption(self.batches, self.order.key, asking, self._cancel, self._ended)
            await interruption.attend(work, presses)
            for task in helpers:
                task.cancel()
        self._view.end(result := self._result())
        return result.exit_code

    async def _subscribed(self, presses: Presses) -> None:
        """Waits until the feed is subscribed to, before the first byte is sent: so no message is missed."""
        if self._wait:
            try:
                await presses.unless_pressed(self.following.subscribed.wait())
            except Pressed:
                raise Interrupted("Left. Nothing was sent.") from None
            self.phase = Phase.UPLOADING

    async def _ticks(self) -> None:
        while True:
            self._view.refresh()
            await asyncio.sleep(REFRESH_S)

    async def _send_and_follow(self) -> None:
        self.started = time.monotonic()
        try:
            await upload(self._api, self.gathered.files, self.order, self)
        except CliError as error:
            raise self._half(error) from error
        self._uploaded()
        if self._wait:
            await self._look_up()
            await self._ended()

    def _half(self, error: CliError) -> CliError:
        """Returns the error with the batches that run in spite of it; as it is, if nothing was accepted before it."""
        refused = error if isinstance(error, Answered) else None
        running = {*self.batches.named, *(refused.running if refused else ())}
        heard = () if refused else (batch.batch_id for batch in self.batches.candidates())
        perhaps = {*(refused.perhaps if refused else ()), *heard} - running
        parts = [
            f"{what}: {words.several(ids)}." for what, ids in (("These batches run", running), ("Perhaps run", perhaps)) if ids
        ]
        again = f"Submit the same again with --key {self.order.key}: nothing is doubled."
        if parts:
            return HalfAccepted(" ".join([str(error), *parts, again]))
        return CliError(f"{error} {again}") if isinstance(error, BrokenOff) else error

    async def _look_up(self) -> None:
        """Asks for the state of batches that the feed does not tell of, because this key was used before."""
        tracked = self.following.tracker.batches
        silent = self.batches.silent()
        await self.following.fetch(silent)
        for batch_id in silent:
            if batch_id in tracked:
                self._view.standing(tracked[batch_id])

    def _uploaded(self) -> None:
        self.phase = Phase.FOLLOWING
        self.batches.uploaded()

    async def _cancel(self) -> None:
        """Cancels the batches that run. The caller has stopped the upload, if it was running."""
        if self.batches.uploading:
            self._stopped = True
            await asyncio.sleep(STRAGGLERS_S)
            for batch in list(self.batches.candidates()):
                self._claim(batch.batch_id)
            self._uploaded()
        for batch in self.batches.sure:
            if not batch.ended:
                await self._cancel_one(batch)

    async def _ended(self) -> None:
        await self.following.until(self.batches.ended)

    async def _cancel_one(self, batch: Batch) -> None:
        try:
            await self._api.cancel(batch.batch_id, REASON)
        except Answered as error:
            if error.status not in {404, 409}:  # 409: the batch has ended meanwhile
                raise

    def _result(self) -> Result:
        return Result(
            gathered=self.gathered,
            rejected=self._rejected,
            batches=self.batches.sure,
            accepted=self._accepted,
            waited=self._wait,
            stopped=self._stopped,
            seconds=time.monotonic() - self.started,
        )
