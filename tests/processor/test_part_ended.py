"""A part of the processor that ends from inside ends the processor, so that it is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.processor.model.log import Member
from tests.processor.model.world import World
from tests.virtual import VirtualLoop, run

from quire_processor.closing import Closing
from quire_processor.membership import Membership
from quire_processor.processor import Processor
from quire_runtime.signals import PartEnded

PARTS = [(Member, "run"), (Closing, "run"), (Membership, "committing"), (Processor, "_confirming"), (Processor, "_dispatching")]


async def returns(_: object) -> None: ...


async def is_cancelled_from_inside(_: object) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("how", [returns, is_cancelled_from_inside])
@pytest.mark.parametrize(("part", "name"), PARTS, ids=[f"{part.__name__}.{name}" for part, name in PARTS])
def test_a_part_that_ends_from_inside_ends_the_processor(
    part: Any, name: str, how: Callable[[object], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, name, how)
    world = World(VirtualLoop(), seed=0)
    ended = run(world.loop, how_it_ends(world))
    assert isinstance(ended, ExceptionGroup)
    assert ended.subgroup(PartEnded) is not None


async def how_it_ends(world: World) -> BaseException | None:
    world.join()
    [node] = world.nodes.values()
    done, _ = await asyncio.wait([node.task], timeout=60.0)
    return node.task.exception() if done else None
