"""When the projection lets records gather."""

import asyncio

import pytest
from tests.virtual import VirtualLoop, run

from quire_notifier.projecting.gathering import GATHER_SECONDS, Gathering


async def rests(every: float, records: int, polls: int = 40) -> list[float]:
    """How long it rests after each poll, where one with so many records ends each `every` seconds of not resting."""
    gathering, loop, rested = Gathering(), asyncio.get_running_loop(), []
    for _ in range(polls):
        await asyncio.sleep(every)
        before = loop.time()
        await gathering.rest(records)
        rested.append(loop.time() - before)
    return rested


@pytest.mark.parametrize(
    ("every", "records"), [(0.1, 1), (0.02, 1), (2.0, 99), (0.1, 500)], ids=["few", "a small batch", "seldom", "behind"]
)
def test_it_does_not_rest_where_little_comes_or_much_waits(every: float, records: int) -> None:
    assert run(VirtualLoop(), rests(every, records)) == [0.0] * 40


def test_it_rests_while_many_come() -> None:
    rested = run(VirtualLoop(), rests(0.01, 3))
    assert rested[:15] == [0.0] * 15
    assert max(rested) == pytest.approx(GATHER_SECONDS)
    assert rested.count(0.0) < 35


def test_it_goes_on_at_once_when_fewer_come() -> None:
    async def calmer() -> float:
        gathering, loop = Gathering(), asyncio.get_running_loop()
        for _ in range(4):
            await gathering.rest(20)
        await asyncio.sleep(0.6)
        before = loop.time()
        await gathering.rest(1)
        return loop.time() - before

    assert run(VirtualLoop(), calmer()) == 0.0
