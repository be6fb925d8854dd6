"""One `quire submit`: files in, their batches followed to the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import UNSET

from quire_cli.api import Answered, Api
from quire_cli.errors import Interrupted
from quire_cli.following import GOES_ON, Following
from quire_cli.gather import Chosen, Gathered
from quire_cli.interrupts import Pressed, Presses
from quire_cli.results import Result
from quire_cli.upload import Order, upload
from quire_client import Batch, Item
from quire_schemas.messages import AnyFeedMessage, Subscribed
from quire_schemas.text import scrub, shorten_filename
from quire_schemas.views import Accepted, RejectedFile

REFRESH_S = 0.125
STRAGGLERS_S = 1.0
"""A batch that was just being stored when the upload was stopped shows within so many seconds."""
CANCELLED_WITHIN_S = 60.0
REASON = "interrupted by the user"


class View(Protocol):
    """What shows a submission: a terminal, plain lines, or JSON lines."""

    asks: bool
    """Whether the user can be asked something."""

    def begin(self, submission: Submission) -> None: ...
    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None: ...
    def again(self, reason: str, pause: float) -> None: ...
    def message(self, message: AnyFeedMessage, batch: Batch) -> None: ...
    def standing(self, batch: Batch) -> None:
        """Where a batch stands whose messages were not heard: it is older than this command, or the feed has lost them."""

    def lost(self, reason: str, pause: float) -> None: ...
    def fell_back(self, sentence: str) -> None: ...
    def back(self) -> None: ...
    def refresh(self) -> None: ...
    async def ask(self, question: str) -> str: ...
    def end(self, result: Result) -> None: ...
    def close(self) -> None:
        """The terminal as it was; may be called twice, and without an end."""


class Submission:
    """Tells the view what happens to the files; `wait`: until the batches have ended."""

    def __init__(self, api: Api, gathered: Gathered, order: Order, view: View, *, wait: bool) -> None:
        self.gathered = gathered
        self.order = order
        self.sent_bytes = 0
        self.started = time.monotonic()
        self.connecting = wait
        """Nothing is sent yet, as the feed has not answered."""
        self.uploading = True
        self.following = Following(api, order.collection, self, give_up_after=order.patience)
        self._api = api
        self._view = view
        self._wait = wait
        self._stopped = False
        self._ids: dict[str, None] = {}
        """Of the batches that are this submission's for sure, in order."""
        self._accepted = 0
        self._rejected: list[RejectedFile] = []
        self._unclaimed: dict[str, list[AnyFeedMessage]] = {}
        self._lost = False
        self._mine = Counter((shorten_filename(scrub(file.name)), file.size) for file in gathered.files)
        """As batches name the files."""

    # what the upload tells

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

    # what the feed tells

    def heard(self, item: Item) -> None:
        if self._lost:
            self._lost = False
            self._view.back()
        if isinstance(item, Subscribed):
            self._resynced(item)
        elif item.batch_id in self._ids:
            self._view.message(item, self.batch(item.batch_id))
        elif self.uploading:
            self._unclaimed.setdefault(item.batch_id, []).append(item)

    def lost(self, reason: str, pause: float) -> None:
        self._lost = True
        self._view.lost(reason, pause)

    def fell_back(self, sentence: str) -> None:
        self._view.fell_back(sentence)

    def unwatched(self) -> str:
        if not self.uploading:
            return GOES_ON
        return f"The upload is not finished. Submit the same again with --key {self.order.key}: nothing is doubled."

    def _resynced(self, item: Subscribed) -> None:
        if item.snapshot is UNSET:
            return
        for batch_id in self._ids:
            self._view.standing(self.batch(batch_id))

    def _claim(self, batch_id: str) -> None:
        if batch_id in self._ids:
            return
        self._ids[batch_id] = None
        for message in self._unclaimed.pop(batch_id, ()):
            self._view.message(message, self.batch(batch_id))

    # where it stands

    def batch(self, batch_id: str) -> Batch:
        return self.following.tracker.batches[batch_id]

    @property
    def batches(self) -> list[Batch]:
        """Those that are this submission's for sure."""
        known = self.following.tracker.batches
        return [known[batch_id] for batch_id in self._ids if batch_id in known]

    @property
    def probable(self) -> list[Batch]:
        """With them, those that appeared while this uploads and hold nothing but files of it."""
        return [*self.batches, *(self._candidates() if self.uploading else ())]

    def _candidates(self) -> Iterator[Batch]:
        tracker = self.following.tracker
        for batch_id, batch in tracker.batches.items():
            new = batch_id in tracker.created and batch_id not in self._ids
            if new and batch.complete and Counter((file.filename, file.size) for file in batch.files.values()) <= self._mine:
                yield batch

    def _ended(self) -> bool:
        known = self.following.tracker.batches
        return all(batch_id in known and known[batch_id].ended for batch_id in self._ids)

    # what is done

    async def run(self, presses: Presses) -> int:
        """The exit code; raises CliError, Interrupted."""
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self.following.run())] if self._wait else []
            self._view.begin(self)
            helpers.append(group.create_task(self._ticks()))
            await self._subscribed(presses)
            await self._attend(group.create_task(self._work()), presses)
            for task in helpers:
                task.cancel()
        self._view.end(result := self._result())
        return result.exit_code

    async def _subscribed(self, presses: Presses) -> None:
        """Before the first byte is sent, so that nothing is missed."""
        if self._wait:
            try:
                await presses.unless_pressed(self.following.subscribed.wait())
            except Pressed:
                raise Interrupted("Left. Nothing was sent.") from None
            self.connecting = False

    async def _ticks(self) -> None:
        while True:
            self._view.refresh()
            await asyncio.sleep(REFRESH_S)

    async def _work(self) -> None:
        self.started = time.monotonic()
        await upload(self._api, self.gathered.files, self.order, self)
        self._uploaded()
        if self._wait:
            await self._look_up()
            await self.following.until(self._ended)

    async def _look_up(self) -> None:
        """Asks for batches of which the feed tells nothing, as this key was used before."""
        tracked = self.following.tracker.batches
        silent = [batch_id for batch_id in self._ids if batch_id not in self.following.tracker.created]
        await self.following.fetch(silent)
        for batch_id in silent:
            if batch_id in tracked:
                self._view.standing(tracked[batch_id])

    def _uploaded(self) -> None:
        self.uploading = False
        self._unclaimed.clear()

    async def _attend(self, work: asyncio.Task[None], presses: Presses) -> None:
        """Waits for `work`, and for Ctrl-C meanwhile."""
        while not work.done():
            try:
                await presses.unless_pressed(_end_of(work))
            except Pressed:
                await self._interrupted(work, presses)

    async def _interrupted(self, work: asyncio.Task[None], presses: Presses) -> None:
        if not self._view.asks:
            raise self._left()
        try:
            answer = await presses.unless_pressed(self._answer(work))
            if answer.startswith("c"):
                await self._cancel(work, presses)
        except (Pressed, TimeoutError):
            raise self._left() from None
        if answer.startswith("q"):
            raise self._left()

    async def _answer(self, work: asyncio.Task[None]) -> str:
        """The user's; nothing when there is nothing left to ask about."""
        asking = asyncio.ensure_future(self._view.ask(self._question()))
        try:
            await asyncio.wait({asking, work}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else ""
        finally:
            asking.cancel()
            await asyncio.wait({asking})

    def _question(self) -> str:
        running = sum(not batch.ended for batch in self.probable)
        batches = "the batch that runs" if running == 1 else f"the {running} batches that run"
        parts = ["stop the upload"] if self.uploading else []
        parts += [f"cancel {batches}"] if running else []
        return f"Type c to {' and '.join(parts)}, q to leave and let it go on, or nothing to stay: "

    async def _cancel(self, work: asyncio.Task[None], presses: Presses) -> None:
        """Cancels what runs and waits until it has ended; raises Pressed, TimeoutError."""
        if self.uploading:
            self._stopped = True
            work.cancel()
            await asyncio.sleep(STRAGGLERS_S)
            for batch in list(self._candidates()):
                self._claim(batch.batch_id)
            self._uploaded()
        for batch in self.batches:
            if not batch.ended:
                await self._cancel_one(batch)
        await presses.unless_pressed(self.following.until(self._ended), CANCELLED_WITHIN_S)

    async def _cancel_one(self, batch: Batch) -> None:
        try:
            await self._api.cancel(batch.batch_id, REASON)
        except Answered as error:
            if error.status not in {404, 409}:  # 409: it has ended meanwhile
                raise

    def _left(self) -> Interrupted:
        running = [batch.batch_id for batch in self.probable if not batch.ended]
        goes_on = f" These batches go on: {' '.join(running)}." if running else ""
        again = f" Nothing is doubled when you submit the same again with --key {self.order.key}." if self.uploading else ""
        return Interrupted(f"Left.{goes_on}{again}")

    def _result(self) -> Result:
        return Result(
            gathered=self.gathered,
            rejected=self._rejected,
            batches=self.batches,
            accepted=self._accepted,
            waited=self._wait,
            stopped=self._stopped,
            seconds=time.monotonic() - self.started,
        )


async def _end_of(work: asyncio.Task[None]) -> None:
    await asyncio.wait({work})
