"""A task group that lets its tasks end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def finishing() -> AsyncIterator[asyncio.TaskGroup]:
    """When the block raises, the tasks under way end first, then it is raised as it is. When a task fails, the block and the
    other tasks are cancelled, and the failure is raised as it is: tasks of one request fail together, for one reason.
    """
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            try:
                yield group
            except Exception as error:  # noqa: BLE001 -- raised below
                failure = error
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    if failure is not None:
        raise failure
