"""Calls that come while one is under way are made together."""

import asyncio

import pytest

from quire_processor.together import Together


class Doubling:
    """Doubles numbers, once `go` is set. It fails for any call in which there is a negative one."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go = asyncio.Event()

    async def __call__(self, numbers: list[int]) -> list[int]:
        self.calls.append(numbers)
        await self.go.wait()
        if min(numbers) < 0:
            raise ValueError(numbers)
        return [2 * number for number in numbers]


async def begun(together: Together[int, int], numbers: list[int]) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(together.do(number)) for number in numbers]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_meanwhile_goes_in_the_next_call() -> None:
    doubling = Doubling()
    together = Together(doubling, most=3)
    first = await begun(together, [1])
    rest = await begun(together, [2, 3, 4, 5])
    doubling.go.set()
    assert await asyncio.gather(*first, *rest) == [2, 4, 6, 8, 10]
    assert doubling.calls == [[1], [2, 3, 4], [5]]


async def test_what_is_wrong_with_one_costs_no_other() -> None:
    doubling = Doubling()
    together = Together(doubling, most=10)
    doubling.go.set()
    found = await asyncio.gather(*(together.do(number) for number in (1, -2, 3)), return_exceptions=True)
    assert (found[0], found[2]) == (2, 6)
    assert isinstance(found[1], ValueError)


async def test_one_who_no_longer_waits_is_left_out() -> None:
    doubling = Doubling()
    together = Together(doubling, most=10)
    await begun(together, [1])
    leaving, staying = await begun(together, [2, 3])
    leaving.cancel()
    doubling.go.set()
    assert await staying == 6
    assert doubling.calls == [[1], [3]]


async def test_whoever_waits_is_told_of_the_end() -> None:
    doubling = Doubling()
    together = Together(doubling, most=1)
    tasks = await begun(together, [1, 2])
    await together.aclose()
    for task in tasks:
        with pytest.raises(asyncio.CancelledError):
            await task
