"""What the watch does when a part dies; the parts are real processes that do nothing."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quire_local.child import Child
from quire_local.errors import PartFailed
from quire_local.part import Part
from quire_local.stack import silent, start_all, stop_all
from quire_local.watch import DEATHS_LIMIT, Watch


class Idle(Part):
    """Says that it is there, and waits."""

    def __init__(self, name: str, logs: Path) -> None:
        super().__init__(name)
        self._logs = logs

    async def prepare(self) -> Child:
        source = f"import time; print('{self.name} is there', flush=True); time.sleep(300)"
        return Child(self.name, [sys.executable, "-c", source], self._logs / f"{self.name}.log")

    async def is_ready(self) -> bool:
        return bool(self.child.last_lines())


class Scene:
    """Kafka, a notifier and processors under watch."""

    def __init__(self, logs: Path, *, processors: int, restart: bool) -> None:
        names = ["notifier", *(f"processor-{n + 1}" for n in range(processors))]
        self.parts = {name: Idle(name, logs) for name in ["kafka", *names]}
        self.said: list[str] = []
        self.pids: list[dict[str, int]] = []
        services = [self.parts[name] for name in names]
        self.watch = Watch([self.parts["kafka"]], services, restart, self.said.append, self.note)

    def note(self) -> None:
        self.pids.append({name: part.pid for name, part in self.parts.items() if part.alive})

    def kill(self, name: str) -> None:
        self.parts[name].child.send(signal.SIGKILL)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        await start_all(list(self.parts.values()), silent)
        watching = asyncio.create_task(self.watch.run())
        try:
            yield watching
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await stop_all(list(self.parts.values()))

    async def until_said(self, words: str) -> None:
        async with asyncio.timeout(30):
            while not any(words in line for line in self.said):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("restart", [False, True])
async def test_the_death_of_infrastructure_ends_the_watch(tmp_path: Path, restart: bool) -> None:  # noqa: FBT001
    scene = Scene(tmp_path, processors=2, restart=restart)
    async with scene.running() as watching:
        scene.kill("kafka")
        with pytest.raises(PartFailed, match=r"(?s)kafka was killed by signal 9 \(SIGKILL\).*kafka is there"):
            await watching


@pytest.mark.parametrize("name", ["notifier", "processor-1"])
async def test_the_death_of_a_service_ends_the_watch(tmp_path: Path, name: str) -> None:
    scene = Scene(tmp_path, processors=1, restart=False)
    async with scene.running() as watching:
        scene.kill(name)
        with pytest.raises(PartFailed, match=f"(?s){name} was killed by signal 9.*{name} is there"):
            await watching


async def test_the_death_of_one_processor_of_two_is_told_and_the_other_one_goes_on(tmp_path: Path) -> None:
    scene = Scene(tmp_path, processors=2, restart=False)
    async with scene.running() as watching:
        scene.kill("processor-1")
        await scene.until_said("Its work goes to processor-2.")
        assert "processor-1 was killed by signal 9" in scene.said[0]
        assert scene.pids[-1].keys() == {"kafka", "notifier", "processor-2"}
        scene.kill("processor-2")
        with pytest.raises(PartFailed, match="processor-2"):
            await watching


async def test_with_restart_a_dead_service_comes_back_with_another_pid(tmp_path: Path) -> None:
    scene = Scene(tmp_path, processors=1, restart=True)
    async with scene.running() as watching:
        before = scene.parts["notifier"].pid
        scene.kill("notifier")
        await scene.until_said("notifier runs again")
        assert scene.pids[-1]["notifier"] not in (before, None)
        assert scene.pids[-1].keys() == scene.parts.keys()
        assert not watching.done()


async def test_with_restart_one_that_dies_again_and_again_ends_the_watch(tmp_path: Path) -> None:
    scene = Scene(tmp_path, processors=1, restart=True)
    async with scene.running() as watching:
        for _ in range(DEATHS_LIMIT - 1):
            scene.said.clear()
            scene.kill("notifier")
            await scene.until_said("notifier runs again")
        scene.kill("notifier")
        with pytest.raises(PartFailed, match="notifier died 5 times within 60 s, and is not started again"):
            await watching


async def test_with_restart_a_death_before_it_is_ready_counts_as_one(tmp_path: Path) -> None:
    scene = Scene(tmp_path, processors=1, restart=True)
    async with scene.running() as watching:
        notifier = scene.parts["notifier"]
        ready = notifier.is_ready

        async def dies_once() -> bool:
            notifier.is_ready = ready  # type: ignore[method-assign]
            scene.kill("notifier")
            await notifier.child.wait()
            return False

        notifier.is_ready = dies_once  # type: ignore[method-assign]
        scene.kill("notifier")
        await scene.until_said("notifier runs again")
        assert len([line for line in scene.said if "It is started again." in line]) == 2
        assert not watching.done()
