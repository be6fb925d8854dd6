"""What becomes of files in work when a processor is told to stop, over a log in virtual time."""

import asyncio

import pytest
from tests.processor.model.world import PLACES, WORKERS, Files, World
from tests.virtual import VirtualLoop, run

from quire_processor.pipeline import Job
from quire_schemas.batch import BatchState
from quire_schemas.events import BatchReleased, FileFailed, FileProcessed


async def stopped_while_working(world: World) -> list[tuple[BatchState, object]]:
    """The history of a batch of 16 whose processor, of 4 places, is stopped when the first file is done."""
    world.submit(16, "isolate")
    world.join()
    batch_id = world.batches[0]
    while not world.state(batch_id).count("processed"):
        await asyncio.sleep(0.01)
    await world.leave(next(iter(world.nodes)))
    return [(state, event.data) for state, event in world.history(batch_id)]


def test_files_in_work_are_finished_before_the_rest_is_handed_over():
    ends = []
    for seed in range(10):
        history = run(loop := VirtualLoop(), stopped_while_working(World(loop, seed, hand_over=60.0)))
        assert settled(history) >= 4
        ends.append(type(history[-1][1]))
    assert BatchReleased in ends  # the log may be slow to take it: then it is taken over, only later


def test_no_file_is_begun_once_the_processor_is_told_to_stop():
    for seed in range(10):
        history = run(loop := VirtualLoop(), stopped_while_working(World(loop, seed, hand_over=3_600.0)))
        assert settled(history) < 16


def test_without_time_to_finish_everything_is_handed_over_at_once():
    histories = [run(loop := VirtualLoop(), stopped_while_working(World(loop, seed, hand_over=0.0))) for seed in range(5)]
    assert any(isinstance(history[-1][1], BatchReleased) for history in histories)


class Slow(Files):
    def seconds(self, job: Job) -> float:
        return 20.0


async def seconds_to_leave(world: World) -> float:
    world.submit(16, "isolate")
    world.join()
    await asyncio.sleep(10.0)
    began = world.loop.now
    await world.leave(next(iter(world.nodes)))
    return world.loop.now - began


def test_files_that_wait_for_a_worker_are_handed_over_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(World, "files", Slow)
    assert PLACES > WORKERS
    for seed in range(5):
        world = World(VirtualLoop(), seed, hand_over=3_600.0)
        assert run(world.loop, seconds_to_leave(world)) < 20.0


def settled(history: list[tuple[BatchState, object]]) -> int:
    return sum(isinstance(data, FileProcessed | FileFailed) for _, data in history)
