"""Equal questions asked at the same time are asked once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any


class Shared:
    """Answers in the making, by key. Whoever asks while one is being made gets it, too; nothing is kept after."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        """`tasks` owns the questions: they outlive an asker that goes away."""
        self._tasks = tasks
        self._open: dict[Hashable, asyncio.Future[Any]] = {}

    async def ask(self, key: Hashable, question: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, or what the question raised."""
        answer = self._open.get(key)
        if answer is None:
            answer = self._open[key] = asyncio.get_running_loop().create_future()
            self._tasks.create_task(self._answer(key, question, answer))
        return await asyncio.shield(answer)

    async def _answer(self, key: Hashable, question: Callable[[], Awaitable[Any]], answer: asyncio.Future[Any]) -> None:
        try:
            result = await question()
        except Exception as error:  # noqa: BLE001 -- it is the askers'
            answer.set_exception(error)
            answer.exception()  # heard, even when every asker has gone
        except BaseException:
            answer.cancel()
            raise
        else:
            answer.set_result(result)
        finally:
            del self._open[key]
