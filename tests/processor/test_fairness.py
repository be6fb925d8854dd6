"""Who waits for whom, with real processors over a log in virtual time."""

from __future__ import annotations

import asyncio
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.processor.model.world import PLACES, WORKERS, Files, World
from tests.virtual import VirtualLoop, run

from quire_processor.pipeline import Job
from quire_schemas.events import BatchCompleted, BatchFailed, BatchStarted, FileFailed, FileProcessed
from quire_schemas.states import BatchState

Ends = BatchCompleted | BatchFailed
Turning = BatchStarted | Ends
BOMB_SECONDS, QUICK_SECONDS = 20.0, 0.2


class Even(Files):
    """Every file takes as long."""

    def seconds(self, job: Job) -> float:
        return QUICK_SECONDS


class Bombs(Files):
    """Files of collections of `bombs` take as long as a file may."""

    def seconds(self, job: Job) -> float:
        return BOMB_SECONDS if job.batch.collection_id.startswith("bombs") else QUICK_SECONDS


def world(seed: int, files: type[Files]) -> World:
    World.files = files
    return World(VirtualLoop(), seed)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "files", Files)


def counted(one: World) -> tuple[int, int, int]:
    """Files settled, batches ended, and the most that were open at a time. An event that was sent again counts once."""
    said = {event.id: event for partition in reversed(one.log.records) for event in reversed(partition)}.values()
    settled = sum(isinstance(event.data, FileProcessed | FileFailed) for event in said)
    turns = sorted((event.time, -1 if isinstance(event.data, Ends) else 1) for event in said if isinstance(event.data, Turning))
    open_at_a_time = list(accumulate(change for _, change in turns))
    return settled, sum(change < 0 for _, change in turns), max(open_at_a_time)


async def requests_of_one_batch(one: World, count: int, files: int, collections: int) -> tuple[int, int, int]:
    """What is counted a minute later."""
    for number in range(count):
        one.submit(files, "isolate", f"c{number % collections}")
        await asyncio.sleep(0.001)
    one.join()
    await asyncio.sleep(60.0)
    found = counted(one)
    for name in list(one.nodes):
        await one.kill(name)
    return found


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(200, 20), (60, 25), (300, 3)]), st.sampled_from([1, 50]))
def test_batches_end_one_after_the_other_and_few_are_open(seed: int, shape: tuple[int, int], collections: int) -> None:
    count, files = shape
    one = world(seed, Even)
    settled, ended, most = run(one.loop, requests_of_one_batch(one, count, files, collections))
    assert settled > 5 * files
    assert ended >= settled / 25 - PLACES  # as promised; of smaller batches more have ended:
    assert ended >= settled / files - PLACES - 1
    assert most <= PLACES + 1


async def seconds_until_ended(one: World, batch_id: str) -> float:
    began = one.loop.now
    state: BatchState = one.state(batch_id)
    while not state.terminal:
        await asyncio.sleep(0.05)
        state = one.state(batch_id)
    return one.loop.now - began


async def healthy_beside(one: World, bombs: int, head_start: float, collections: int = 1) -> float:
    """How long 25 quick files take beside so many that take as long as they may, which came before them."""
    one.join()
    for number in range(bombs // 17):
        one.submit(17, "isolate", f"bombs-{number % collections}")
    await asyncio.sleep(head_start)
    took = await seconds_until_ended(one, one.submit(25, "isolate", "healthy"))
    for name in list(one.nodes):
        await one.kill(name)
    return took


@pytest.mark.parametrize("head_start", [0.0, 5.0, 31.0])
def test_healthy_files_wait_for_no_more_than_one_bomb(head_start: float) -> None:
    for seed in range(5):
        alone, beside = world(seed, Bombs), world(seed, Bombs)
        without = run(alone.loop, healthy_beside(alone, 0, head_start))
        assert run(beside.loop, healthy_beside(beside, 34, head_start)) <= 2 * without + BOMB_SECONDS


def test_nor_for_many_where_bombs_come_from_several_collections() -> None:
    """A newcomer is level with whoever of them has had nothing yet: so it may wait for one more."""
    for seed in range(5):
        alone, beside = world(seed, Bombs), world(seed, Bombs)
        without = run(alone.loop, healthy_beside(alone, 0, 5.0))
        assert run(beside.loop, healthy_beside(beside, 51, 5.0, collections=3)) <= 2 * (without + BOMB_SECONDS)


@pytest.mark.parametrize("collections", [5, 10])
def test_nor_where_there_are_more_such_collections_than_batches_may_be_open(collections: int) -> None:
    """A newcomer is level with whoever has had nothing yet: it may wait for the first bomb of each, after those in work."""
    for seed in range(3):
        alone, beside = world(seed, Bombs), world(seed, Bombs)
        without = run(alone.loop, healthy_beside(alone, 0, 5.0))
        rounds = (collections + PLACES) / WORKERS + 2
        assert run(beside.loop, healthy_beside(beside, 17 * collections, 5.0, collections)) <= 2 * without + rounds * BOMB_SECONDS


async def few_beside_many(one: World) -> float:
    one.join()
    for _ in range(200):
        one.submit(25, "isolate", "many")
    await asyncio.sleep(10.0)
    took = await seconds_until_ended(one, one.submit(3, "isolate", "few"))
    for name in list(one.nodes):
        await one.kill(name)
    return took


def test_three_files_beside_five_thousand_of_another_collection_are_done_at_once() -> None:
    for seed in range(5):
        one = world(seed, Even)
        files_of_workers = 3 / WORKERS
        log_round_trips = 12.0  # the log of this world takes up to 1.5 s for each
        assert run(one.loop, few_beside_many(one)) <= files_of_workers * 4 * QUICK_SECONDS + log_round_trips
