"""The one way to retry: exponential backoff with full jitter. The caller decides which errors are worth a retry."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0


def backoff(attempt: int, first: float = FIRST_DELAY, longest: float = LONGEST_DELAY) -> float:
    """Returns the seconds to wait after failure number `attempt` (from 1): a random time up to a
    bound that doubles each time.
    """
    return random.uniform(0.0, min(longest, first * 2.0 ** min(attempt - 1, 30)))  # noqa: S311 -- spreads load, is not for security


async def retrying(
    fn: Callable[[], Awaitable[T]],
    *,
    transient: Callable[[Exception], bool],
    give_up_after: float | None,
    on_retry: Callable[[Exception, int], None] | None = None,
    first: float = FIRST_DELAY,
    longest: float = LONGEST_DELAY,
) -> T:
    """Calls `fn` until it returns. Raises its exception when that is not `transient`, or when `give_up_after` seconds have
    passed since the first call (None: never). `on_retry` gets the exception and the attempt's number, from 1, before each wait.
    Can be cancelled at any point.
    """
    started = time.monotonic()
    attempt = 0
    while True:
        try:
            return await fn()
        except Exception as error:
            attempt += 1
            spent = time.monotonic() - started
            if not transient(error) or (give_up_after is not None and spent >= give_up_after):
                raise
            if on_retry is not None:
                on_retry(error, attempt)
        delay = backoff(attempt, first, longest)
        await asyncio.sleep(delay if give_up_after is None else min(delay, max(0.0, give_up_after - spent)))
