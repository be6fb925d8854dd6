"""Which outcomes leave together, in virtual time."""

import asyncio

from tests.virtual import VirtualClock, VirtualLoop, run

from quire_processor.linger import Linger


async def left_at(loop: VirtualLoop, linger: Linger, comes: float) -> float:
    await asyncio.sleep(comes)
    await linger.wait()
    return round(loop.now, 3)


def departures(*comes: float, flush: float | None = None) -> list[float]:
    loop = VirtualLoop()

    async def everyone() -> list[float]:
        linger, began = Linger(VirtualClock(loop), 0.05), loop.now
        if flush is not None:
            loop.call_later(flush, linger.flush)
        return [round(at - began, 3) for at in await asyncio.gather(*(left_at(loop, linger, one) for one in comes))]

    return run(loop, everyone())


def test_one_after_a_pause_leaves_at_once() -> None:
    assert departures(0.0, 0.06, 0.2) == [0.0, 0.06, 0.2]


def test_those_that_come_shortly_after_leave_together() -> None:
    assert departures(0.0, 0.01, 0.02, 0.049) == [0.0, 0.05, 0.05, 0.05]


def test_groups_keep_their_distance() -> None:
    assert departures(0.0, 0.01, 0.06, 0.09, 0.11) == [0.0, 0.05, 0.1, 0.1, 0.15]


def test_a_flush_lets_everybody_leave_and_the_next_group_keeps_its_distance_from_it() -> None:
    assert departures(0.0, 0.01, 0.02, 0.04, flush=0.03) == [0.0, 0.03, 0.03, 0.08]


def test_a_flush_where_nobody_waits_changes_nothing() -> None:
    assert departures(0.0, 0.04, flush=0.02) == [0.0, 0.05]
