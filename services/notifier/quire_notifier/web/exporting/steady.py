"""Reads objects and rows even when the object store or the database is away for a while."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from quire_notifier.projecting.epochs import passes
from quire_runtime.logs import get_logger
from quire_runtime.retry import backoff, retrying
from quire_runtime.storage import ObjectStore, StorageUnavailable, is_away

T = TypeVar("T")
log = get_logger(__name__)

PATIENCE_SECONDS = 30.0
"""Seconds without data after which an export is cut off."""


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Returns the result of a query, which is repeated while Postgres is away."""
    return await retrying(
        ask,
        transient=passes,
        give_up_after=PATIENCE_SECONDS,
        on_retry=lambda error, attempt: log.warning("an export waits for postgres", error=repr(error), attempt=attempt),
    )


async def object_bytes(store: ObjectStore, key: str) -> AsyncGenerator[bytes, None]:
    """Yields the bytes of the whole object. When a connection breaks, reading goes on at the same place, because objects never
    change. Raises ObjectMissing, StorageUnavailable.
    """
    loop = asyncio.get_running_loop()
    sent, failures, since = 0, 0, loop.time()
    while True:
        try:
            stream = await store.stream(key, first=sent)
            try:
                async for chunk in stream:
                    sent, failures, since = sent + len(chunk), 0, loop.time()
                    yield chunk
            finally:
                await stream.aclose()
        except StorageUnavailable as error:
            failures += 1
            if not is_away(error) or loop.time() - since > PATIENCE_SECONDS:
                raise
            log.warning("an export waits for the object store", key=key, error=str(error), attempt=failures)
            await asyncio.sleep(backoff(failures))
        else:
            return
