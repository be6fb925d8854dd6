"""A file that kills its processor, with real processors over a log in virtual time: it fails, and nothing else does."""

from __future__ import annotations

import asyncio

import pytest
from tests.processor.model.world import Files, World
from tests.virtual import VirtualLoop, run

from quire_processor.pipeline import Job, Watcher
from quire_schemas.events import FileFailed, FileProcessed

KILLERS = (3, 8)
AGES = 3600.0


class Deadly(Files):
    """The files in certain places of a batch kill the process `seconds` after they were begun."""

    dying = 5.0
    died: asyncio.Event

    async def process(self, job: Job, watcher: Watcher) -> FileProcessed | FileFailed:
        if job.batch.collection_id != "deadly" or job.position not in KILLERS:
            return await super().process(job, watcher)
        watcher.at(job.file.file_id, "extracting")
        await asyncio.sleep(self.dying)
        self.died.set()
        await asyncio.sleep(AGES)
        raise AssertionError("it outlived itself")


async def survived(one: World) -> int:
    """Starts the processor again each time that it dies, until all batches have ended; how often it died."""
    deaths = 0
    one.join()
    while not all(one.state(batch_id).terminal for batch_id in one.batches):
        assert one.loop.now < AGES
        if Deadly.died.is_set():
            Deadly.died.clear()
            deaths += 1
            await one.kill(next(iter(one.nodes)))
            one.join()
        await asyncio.sleep(0.05)
    await one.kill(next(iter(one.nodes)))
    return deaths


@pytest.mark.parametrize("dying", [0.0, 0.4, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_only_the_files_that_kill_fail(monkeypatch: pytest.MonkeyPatch, seed: int, dying: float) -> None:
    monkeypatch.setattr(World, "files", Deadly)
    monkeypatch.setattr(Deadly, "dying", dying)
    monkeypatch.setattr(Deadly, "died", asyncio.Event(), raising=False)
    one = World(VirtualLoop(), seed, max_fruitless_runs=5)
    deadly = one.submit(10, "isolate", "deadly")
    others = [one.submit(6, "isolate", f"other-{number}") for number in range(3)]
    deaths = run(one.loop, survived(one))
    failed = {file.filename: file.code for file in one.state(deadly).files.values() if file.standing == "failed"}
    assert failed == {"3.pdf": "worker_crashed", "8.pdf": "worker_crashed", "6.pdf": "corrupt"}
    assert {one.state(batch_id).status for batch_id in others} == {"completed"}
    assert deaths <= 20
