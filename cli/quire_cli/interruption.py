"""Ctrl-C while files are sent or processed: the user is asked whether to cancel, to leave, or to stay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from quire_cli.errors import Interrupted
from quire_cli.interrupts import Pressed, Presses
from quire_cli.own_batches import OwnBatches

CANCELLED_WITHIN_S = 60.0


class Interruption:
    """What a submission does at Ctrl-C.

    `ask` asks the user a question; None where no user can be asked. `cancel` cancels all batches that run, and `ended`
    returns when they have ended. `key` is the Idempotency-Key with which the user may submit the same files again.
    """

    def __init__(
        self,
        batches: OwnBatches,
        key: str,
        ask: Callable[[str], Awaitable[str]] | None,
        cancel: Callable[[], Awaitable[None]],
        ended: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._batches = batches
        self._key = key
        self._ask = ask
        self._cancel = cancel
        self._ended = ended

    async def attend(self, work: asyncio.Task[None], presses: Presses) -> None:
        """Waits until `work` is done, and handles Ctrl-C meanwhile. Raises Interrupted when the user leaves."""
        while not work.done():
            try:
                await presses.unless_pressed(_end_of(work))
            except Pressed:
                await self._interrupted(work, presses)

    async def _interrupted(self, work: asyncio.Task[None], presses: Presses) -> None:
        if self._ask is None:
            raise self._left()
        try:
            answer = await presses.unless_pressed(self._answer(self._ask(self._question()), work))
            if answer.startswith("c"):
                if self._batches.uploading:
                    work.cancel()
                await self._cancel()
                await presses.unless_pressed(self._ended(), CANCELLED_WITHIN_S)
        except (Pressed, TimeoutError):
            raise self._left() from None
        if answer.startswith("q"):
            raise self._left()

    async def _answer(self, asked: Awaitable[str], work: asyncio.Task[None]) -> str:
        """Returns the user's answer; an empty one when `work` is done before the user answers."""
        asking = asyncio.ensure_future(asked)
        try:
            await asyncio.wait({asking, work}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else ""
        finally:
            asking.cancel()
            await asyncio.wait({asking})

    def _question(self) -> str:
        running = sum(not batch.ended for batch in self._batches.probable)
        batches = "the batch that runs" if running == 1 else f"the {running} batches that run"
        parts = ["stop the upload"] if self._batches.uploading else []
        parts += [f"cancel {batches}"] if running else []
        return f"Type c to {' and '.join(parts)}, q to leave and let it go on, or nothing to stay: "

    def _left(self) -> Interrupted:
        running = [batch.batch_id for batch in self._batches.probable if not batch.ended]
        goes_on = f" These batches go on: {' '.join(running)}." if running else ""
        again = f" Nothing is doubled when you submit the same again with --key {self._key}." if self._batches.uploading else ""
        return Interrupted(f"Left.{goes_on}{again}")


async def _end_of(work: asyncio.Task[None]) -> None:
    await asyncio.wait({work})
