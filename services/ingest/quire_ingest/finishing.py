"""A task group whose tasks end before an exception of its block is raised."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def finishing() -> AsyncIterator[asyncio.TaskGroup]:
    """A context with a task group, whose exceptions are raised without an ExceptionGroup around them.

    When the block raises an exception, the tasks under way end first. When a task fails, the block and the other tasks are
    cancelled, and the first failure is raised: tasks of one request fail together, for one reason.
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
