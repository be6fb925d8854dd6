"""Groups calls: items that come while a call is under way are handled together, by one call for all of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Groups items into calls. `call` takes up to `most` items and returns a result for each.

    Where a call of several items fails, each item is tried alone: so a faulty item does not fail the others.
    """

    def __init__(self, call: Callable[[list[Item]], Awaitable[list[Result]]], most: int) -> None:
        self._call = call
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._calling: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """Returns the result for the item.

        Raises the exception of the call. Cancelling takes back an item whose call has not begun.
        """
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._run())
        return await result

    async def aclose(self) -> None:
        """Cancels the call that is under way, and all items that wait."""
        if self._calling is not None:
            self._calling.cancel()
            await asyncio.wait([self._calling])
        for _, result in self._waiting:
            result.cancel()

    async def _run(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            await self._make([one for one in taken if not one[1].done()])

    async def _make(self, wanted: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._call([item for item, _ in wanted]) if wanted else []
        except asyncio.CancelledError:
            for _, result in wanted:
                result.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- raised in the callers of `do`
            if len(wanted) > 1:
                for one in wanted:
                    await self._make([one])
            elif not wanted[0][1].done():
                wanted[0][1].set_exception(error)
        else:
            for (_, waiting), made in zip(wanted, results, strict=True):
                if not waiting.done():
                    waiting.set_result(made)
