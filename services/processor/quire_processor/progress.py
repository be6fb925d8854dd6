"""Tracks how far the files of a run have come, and reports it to the log (docs/design.md, "Runs")."""

import asyncio
from collections.abc import Callable, Iterable

from quire_processor.voice import Voice
from quire_runtime.clock import Clock
from quire_runtime.signals import never_silent
from quire_schemas import ids
from quire_schemas.events import BatchProgressed, Dependency, FileStage, InFlight, Stage

_TOLD_AFTER = 1.0  # seconds after which a file that was begun and is not done yet is reported as in work
_POSITIONS_EVERY = 4.0  # seconds after which changed positions are reported again


class Progress:
    """The progress of one run; a `Watcher` of the pipeline.

    `reached` is called with each stage that all files of the run have reached. `produced` has the keys of artefacts that were
    stored. `unsaid` has the ids of files whose rows or artefacts may exist while no outcome was sent.
    """

    def __init__(self, voice: Voice, clock: Clock, heartbeat: float, reached: Callable[[Stage], None]) -> None:
        """`heartbeat` in seconds."""
        self.produced: set[str] = set()
        self.unsaid: set[str] = set()
        self._voice = voice
        self._clock = clock
        self._heartbeat = heartbeat
        self._reached = reached
        self._positions: dict[str, InFlight] = {}
        self._waiting: dict[str, Dependency] = {}
        self._milestones = _Milestones(voice.state.unsettled())
        self._begun = asyncio.Event()
        self._number = 0

    # Progress of one file.

    def begins(self, file_id: str) -> None:
        self._positions[file_id] = InFlight(file_id=file_id, stage="fetching")
        self._begun.set()

    def at(self, file_id: str, stage: FileStage, page: int | None = None, pages: int | None = None) -> None:
        self._positions[file_id] = InFlight(file_id=file_id, stage=stage, page=page, pages=pages)
        if stage == "inserting":
            self.unsaid.add(file_id)

    def waiting_for(self, file_id: str, dependency: Dependency | None) -> None:
        if dependency is None:
            self._waiting.pop(file_id, None)
        else:
            self._waiting[file_id] = dependency

    def inserted(self, file_id: str) -> None:
        self._reach(self._milestones.inserted(file_id))

    def uploaded(self, file_id: str, keys: tuple[str, ...]) -> None:
        self.produced.update(keys)
        self._reach(self._milestones.uploaded(file_id))

    def processed(self, file_id: str) -> None:
        """Notes that the file is processed and its outcome is about to be sent."""
        self.unsaid.discard(file_id)

    def failed(self, file_id: str) -> None:
        self._reach(self._milestones.failed(file_id))

    def leaves(self, file_id: str) -> None:
        """Notes that the file needs neither disk nor worker any more."""
        del self._positions[file_id]

    # Progress of all files.

    @property
    def any_in_work(self) -> bool:
        return bool(self._positions)

    def stage(self, file_id: str) -> FileStage:
        return self._positions[file_id].stage

    def waiting_count(self, dependency: Dependency) -> int:
        """Returns the number of files and events that wait for `dependency`."""
        return sum(one == dependency for one in self._waiting.values()) + (len(self._voice.unheard) if dependency == "log" else 0)

    def told(self, file_id: str) -> bool:
        """Returns whether the log has the file as in work."""
        return self._voice.state.files[file_id].standing != "queued"

    async def open(self) -> None:
        """Reports the first files before work on them begins: if this process dies of one, the log has their names."""
        await self._begun.wait()
        await self.say("started")

    @never_silent
    async def beat(self) -> None:
        """Reports the files in work: at each heartbeat, soon after files were begun, and when positions have changed."""
        told, due = dict(self._positions), self._clock.monotonic() + self._heartbeat
        while True:
            try:
                async with asyncio.timeout(min(due - self._clock.monotonic(), _POSITIONS_EVERY)):
                    await self._begun.wait()
                    await asyncio.sleep(_TOLD_AFTER)
            except TimeoutError:
                news = self._positions.items() - told.items() or self._clock.monotonic() >= due
            else:
                self._begun.clear()
                news = not all(self.told(file_id) for file_id in self._positions)
            if news:
                told, due = dict(self._positions), self._clock.monotonic() + self._heartbeat
                await self.say("heartbeat")

    async def say(self, stage: Stage) -> None:
        self._number += 1
        run_id, unsettled = self._voice.run_id, self._voice.state.unsettled()
        in_flight = tuple(self._positions[file_id] for file_id in unsettled if file_id in self._positions)
        away: set[Dependency] = {*self._waiting.values(), *(("log",) if self._voice.unheard else ())}
        data = BatchProgressed(run_id=run_id, stage=stage, in_flight=in_flight, waiting_for=tuple(sorted(away)))
        await self._voice.say(data, ids.progressed_id(run_id, self._number))

    def _reach(self, stages: Iterable[Stage]) -> None:
        for stage in stages:
            self._reached(stage)


class _Milestones:
    """Tells once when every file that has not failed has its rows, and once when every such file has its artefacts."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self._surviving = set(files)
        self._reached: dict[Stage, set[str]] = {"database_insert_complete": set(), "cloud_upload_complete": set()}

    def inserted(self, file_id: str) -> list[Stage]:
        self._reached.get("database_insert_complete", set()).add(file_id)
        return self._complete()

    def uploaded(self, file_id: str) -> list[Stage]:
        self._reached.get("cloud_upload_complete", set()).add(file_id)
        return self._complete()

    def failed(self, file_id: str) -> list[Stage]:
        self._surviving.discard(file_id)
        return self._complete()

    def _complete(self) -> list[Stage]:
        if not self._surviving:
            return []
        complete = [stage for stage, files in self._reached.items() if files >= self._surviving]
        for stage in complete:
            del self._reached[stage]
        return complete
