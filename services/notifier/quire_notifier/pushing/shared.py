"""Runs equal queries that are asked for at the same time only once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any


class Shared:
    """Queries that are running, by key. A caller with the key of a running query gets its result too. Results are not kept."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        """`tasks` owns the queries, which go on when a caller is cancelled."""
        self._tasks = tasks
        self._open: dict[Hashable, asyncio.Future[Any]] = {}

    async def ask(self, key: Hashable, question: Callable[[], Awaitable[Any]]) -> Any:
        """Returns the result of the query, or raises its error."""
        answer = self._open.get(key)
        if answer is None:
            answer = self._open[key] = asyncio.get_running_loop().create_future()
            self._tasks.create_task(self._answer(key, question, answer))
        return await asyncio.shield(answer)

    async def _answer(self, key: Hashable, question: Callable[[], Awaitable[Any]], answer: asyncio.Future[Any]) -> None:
        try:
            result = await question()
        except Exception as error:  # noqa: BLE001 -- passed on to every caller
            answer.set_exception(error)
            answer.exception()  # marks the error as retrieved, even when every caller has gone
        except BaseException:
            answer.cancel()
            raise
        else:
            answer.set_result(result)
        finally:
            del self._open[key]
