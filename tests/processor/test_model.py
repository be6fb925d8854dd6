"""Several processors, owning, losing and regaining partitions, dying and waking, over one log: whatever the interleaving, no
batch is left that nobody works on, and no file is worked to completion twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.processor.model.world import World
from tests.virtual import VirtualLoop, run

from quire_schemas.events import FileProcessed

HEALED_SECONDS = 300.0
LINGERING_SECONDS = 40.0
"""In which somebody may still do what was done already."""

who = st.integers(0, 5)
steps = st.one_of(
    st.tuples(st.just("submit"), st.integers(1, 20), st.sampled_from(("isolate", "all_or_nothing"))),
    st.tuples(st.just("join")),
    st.tuples(st.just("kill"), who),
    st.tuples(st.just("leave"), who),
    st.tuples(st.just("freeze"), who),
    st.tuples(st.just("thaw"), who),
    st.tuples(st.just("rebalance")),
    st.tuples(st.just("outage"), st.floats(0.1, 30.0)),
    st.tuples(st.just("cancel"), who),
    st.tuples(st.just("retry"), who, st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("retry"), who, st.just(False), st.just(0)),  # noqa: FBT003 -- the usual one: of a batch that has ended
    st.tuples(st.just("repeat"), who),
    st.tuples(st.just("wait"), st.sampled_from((0.0, 0.03, 0.4, 2.0, 11.0, 25.0))),
)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.lists(steps, min_size=15, max_size=40))
def test_no_interleaving_leaves_a_batch_unfinished_or_a_file_processed_twice(seed: int, story: list[tuple[Any, ...]]) -> None:
    loop = VirtualLoop()
    run(loop, lived(World(loop, seed), story))


async def lived(world: World, story: list[tuple[Any, ...]]) -> None:
    world.submit(16, "isolate")
    world.join()
    for step in story:
        await happen(world, *step)
        await asyncio.sleep(0.01)
    await healed(world)
    for batch_id in world.batches:
        check(world, batch_id)
    for name in list(world.nodes):
        await world.leave(name)


async def happen(world: World, what: str, *details: Any) -> None:
    nodes = list(world.nodes)
    match what:
        case "submit":
            world.submit(*details)
        case "join" if len(nodes) < 4:
            world.join()
        case "kill" | "leave" if nodes:
            await getattr(world, what)(nodes[details[0] % len(nodes)])
        case "freeze" | "thaw" if nodes:
            getattr(world, what)(nodes[details[0] % len(nodes)])
        case "rebalance":
            world.rebalance()
        case "outage":
            world.log.away = True
            await asyncio.sleep(details[0])
            world.log.away = False
        case "cancel" | "repeat":
            getattr(world, what)(world.batches[details[0] % len(world.batches)])
        case "retry":
            world.retry(world.batches[details[0] % len(world.batches)], force=details[1], stale=details[2])
        case "wait":
            await asyncio.sleep(details[0])


async def healed(world: World) -> None:
    """Everybody wakes, somebody is there, and there is time."""
    for name in list(world.nodes):
        world.thaw(name)
    if not world.nodes:
        world.join()
    world.rebalance()
    until = world.loop.now + HEALED_SECONDS
    while world.loop.now < until and not all(world.state(batch_id).terminal for batch_id in world.batches):
        await asyncio.sleep(5.0)
    await asyncio.sleep(LINGERING_SECONDS)
    for node in world.nodes.values():
        assert not node.task.done(), node.task.exception()


def check(world: World, batch_id: str) -> None:
    history = world.history(batch_id)
    final = history[-1][0]
    assert final.terminal, f"{batch_id} is left {final.status}, attempt {final.attempt}"
    assert final.total == final.count("processed") + final.count("failed") + final.count("cancelled")
    processed = Counter(
        (event.data.file_id, state.generation) for state, event in history if isinstance(event.data, FileProcessed)
    )
    assert not [file for file, times in processed.items() if times > 1]
