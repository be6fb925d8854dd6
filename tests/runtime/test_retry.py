import asyncio

import pytest

from quire_runtime.retry import backoff, retrying


def flaky(failures: int, error: type[Exception] = ConnectionError):
    left = failures

    async def call() -> str:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error(f"{left} to go")
        return "done"

    return call


def transient(error: Exception) -> bool:
    return isinstance(error, ConnectionError)


async def test_it_repeats_what_is_transient_and_tells_each_time():
    told: list[int] = []
    result = await retrying(
        flaky(3), transient=transient, give_up_after=None, on_retry=lambda _, attempt: told.append(attempt), first=0.001
    )
    assert (result, told) == ("done", [1, 2, 3])


async def test_it_raises_at_once_what_is_not_transient():
    with pytest.raises(ValueError, match="4 to go"):
        await retrying(flaky(5, ValueError), transient=transient, give_up_after=None)


async def test_it_gives_up_with_the_last_error():
    with pytest.raises(ConnectionError):
        await retrying(flaky(10_000), transient=transient, give_up_after=0.02, first=0.001, longest=0.005)


async def test_cancellation_passes():
    async with asyncio.timeout(5):
        task = asyncio.create_task(retrying(flaky(10_000), transient=transient, give_up_after=None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_the_pause_stays_within_its_bound_however_long_it_takes():
    assert all(0 <= backoff(attempt, 0.1, 5.0) <= min(5.0, 0.1 * 2 ** (attempt - 1)) for attempt in range(1, 200))
