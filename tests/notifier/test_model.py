"""Commits, lost notifications, disconnects, another replica, pruning, rebuilds, outages, in any order: what a subscriber sees is
the contiguous sequence, or it was told to begin anew.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.notifier.world import Client, World
from tests.virtual import VirtualLoop, run

HEALED_SECONDS = 30.0

which = st.integers(0, 4)
steps = st.one_of(
    st.tuples(st.just("commit"), st.integers(1, 300), st.sampled_from(((), (0,), (1,), (0, 1)))),
    st.tuples(st.just("join")),
    st.tuples(st.just("reconnect"), which, st.booleans()),
    st.tuples(st.just("disconnect"), which),
    st.tuples(st.just("prune"), st.sampled_from((0.3, 0.9, 1.0))),
    st.tuples(st.just("rebuild"), st.integers(0, 400)),
    st.tuples(st.just("outage"), st.floats(0.01, 3.0)),
    st.tuples(st.just("wait"), st.sampled_from((0.0, 0.01, 0.05, 1.5))),
)


@settings(max_examples=800, deadline=None)
@given(st.integers(0, 2**32), st.lists(steps, min_size=3, max_size=30))
def test_a_subscriber_sees_the_contiguous_sequence_or_is_told_to_begin_anew(seed: int, story: list[tuple[Any, ...]]) -> None:
    run(VirtualLoop(), lived(World(seed), story))


async def lived(world: World, story: list[tuple[Any, ...]]) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for hub in world.hubs:
            tasks.create_task(hub.run(stop))
        await asyncio.sleep(0)
        join(world, tasks)
        for step in story:
            await happen(world, tasks, *step)
        await healed(world, tasks)
        stop.set()


def join(world: World, tasks: asyncio.TaskGroup) -> None:
    client = Client(world.chance)
    world.clients.append(client)
    world.connect(client, tasks)


async def happen(world: World, tasks: asyncio.TaskGroup, what: str, *details: Any) -> None:
    match what:
        case "commit":
            world.feed.append(details[0])
            for number in details[1]:
                world.hubs[number].notify(world.feed)
        case "join" if len(world.clients) < 5:
            join(world, tasks)
        case "reconnect":
            world.connect(world.clients[details[0] % len(world.clients)], tasks, forgets_epoch=details[1])
        case "disconnect":
            world.disconnect(world.clients[details[0] % len(world.clients)])
        case "prune":
            world.feed.prune(details[0])
        case "rebuild":
            world.feed.rebuild(details[0])
        case "outage":
            world.feed.away = True
            await asyncio.sleep(details[0])
            world.feed.away = False
        case "wait":
            await asyncio.sleep(details[0])


async def healed(world: World, tasks: asyncio.TaskGroup) -> None:
    """Everybody is connected, one more message comes without a notification, and there is time."""
    world.feed.append(1)
    for client in world.clients:
        if client.subscription is None:
            world.connect(client, tasks)
    await asyncio.sleep(HEALED_SECONDS)
    for client in world.clients:
        assert not client.wrong
        assert (client.epoch, client.seq) == (str(world.feed.epoch), world.feed.last_seq)
        world.disconnect(client)
