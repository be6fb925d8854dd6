"""A pool of worker processes: gives each file to a worker, and decides what the worker's end means (docs/design.md, "A file").

A worker that hangs is killed (`patience`). Where a worker dies or answers nonsense, its file is read once more, by a fresh
worker. Once the text is there, the end of the worker costs only the picture.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from quire_processor import answers, vitals
from quire_processor.confine import Sandbox
from quire_processor.extracted import Extracted, ExtractionFailed
from quire_processor.limits import Limits
from quire_processor.metrics import WORKER_KILLS, WORKERS, WORKERS_LIMIT
from quire_processor.notices import no_thumbnail
from quire_processor.patience import Overtime
from quire_processor.reading import OnPage, Reading
from quire_processor.sandbox import NotConfined, report
from quire_processor.spawning import forkserver_context
from quire_processor.watch import Watch
from quire_processor.worker_process import CannotStart, WorkerDied, WorkerProcess
from quire_processor.workplace import Workplace
from quire_runtime.logs import get_logger
from quire_runtime.retry import retrying
from quire_schemas.events import FileCode

_LOGGED = 4000  # characters of a dead worker's last message that are logged
_CRASHED = "The PDF library crashed on this file, twice. Save the file anew with a PDF program and upload that."
_TOO_MUCH_MEMORY = "The file needs more memory than there is for it. Simplify or split it, and upload that."
log = get_logger(__name__)


class WorkerPool:
    """A pool of at most `size` workers, started as they are needed, each with a directory of its own below `directory`.

    Where no worker can be started, a file waits for `patience` seconds.
    """

    def __init__(self, size: int, limits: Limits, directory: Path, patience: float = 600.0, sandbox: Sandbox = "prefer") -> None:
        self.size = size
        self._patience = patience
        self._sandbox = sandbox
        self._directory = directory
        self.limits = limits
        self._context = forkserver_context()
        self._free = asyncio.Semaphore(size)
        self._starts = ThreadPoolExecutor(size, "starts a worker")  # a start that hangs must not take threads from other work
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        WORKERS.labels("busy").set_function(lambda: len(self._busy))
        WORKERS.labels("idle").set_function(lambda: len(self._idle))
        WORKERS_LIMIT.set(size)

    async def __aenter__(self) -> Self:
        """Starts a first worker, to see how it is confined. Raises NotConfined."""
        one = await self._started()
        self._idle.append(one)
        report(one.lacking)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def extract(self, source: bytes | Path, place: Workplace, on_page: OnPage | None = None) -> Extracted:
        """Returns the result of reading `source`.

        Large parts of it go to `place`. Raises ExtractionFailed. Cancelling kills the worker.
        """
        async with self._free:
            try:
                return await self._once(source, place, on_page)
            except WorkerDied as error:
                log.warning("worker died, the file is read once more", error=str(error)[-_LOGGED:])
            try:
                return await self._once(source, place, on_page, again=True)
            except WorkerDied as error:
                log.warning("worker died again, the file fails", error=str(error)[-_LOGGED:], for_memory=error.for_memory)
                code: FileCode = "out_of_memory" if error.for_memory else "worker_crashed"
                raise ExtractionFailed(code, _TOO_MUCH_MEMORY if error.for_memory else _CRASHED) from error

    async def aclose(self) -> None:
        """Kills and reaps every worker."""
        workers, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(one.kill() for one in workers))
        self._starts.shutdown(wait=False, cancel_futures=True)

    async def _once(self, source: bytes | Path, place: Workplace, on_page: OnPage | None, *, again: bool = False) -> Extracted:
        one = await self._take(fresh=again)
        self._busy.add(one)
        sound = False
        try:
            extracted, sound = await self._answer(one, source, place, on_page, again=again)
        except ExtractionFailed as error:
            sound = error.code not in ("timeout", "out_of_memory")
            raise
        except asyncio.CancelledError:
            WORKER_KILLS.labels("cancelled").inc()
            raise
        else:
            return extracted
        finally:
            self._busy.discard(one)
            if sound and self._goes_on(one):
                self._idle.append(one)
            else:
                await asyncio.shield(one.kill())

    def _goes_on(self, one: WorkerProcess) -> bool:
        """Returns whether the worker gets another file."""
        return one.served < self.limits.files_per_worker and vitals.resident_bytes(one.pid) <= self.limits.kept_bytes

    async def _take(self, *, fresh: bool) -> WorkerProcess:
        while self._idle and not fresh:
            one = self._idle.pop()
            if one.alive:
                return one
            WORKER_KILLS.labels("idle").inc()
            await one.kill()
        return await self._started(NotConfined)

    async def _started(self, *also: type[Exception]) -> WorkerProcess:
        """Starts a worker. A start that raises CannotStart or one of `also` is tried again for `patience` seconds."""
        return await retrying(
            lambda: WorkerProcess.start(self._context, self._starts, self.limits, self._directory, self._sandbox),
            transient=lambda error: isinstance(error, (CannotStart, *also)),
            give_up_after=self._patience,
            on_retry=lambda error, attempt: log.warning("worker not started", error=str(error), attempt=attempt),
        )

    async def _answer(
        self, one: WorkerProcess, source: bytes | Path, place: Workplace, on_page: OnPage | None, *, again: bool
    ) -> tuple[Extracted, bool]:
        """Returns the result of the file, and whether the worker is fit for another one.

        Once the text is there, any failure costs the picture only.
        """
        watch = Watch(one.pid, self.limits, closely=again)
        try:
            async with watch:
                answer = await one.ask(source, on_page or _nobody, watch)
        except TimeoutError as error:
            WORKER_KILLS.labels("timeout").inc()
            log.warning("worker killed for time", why=watch.overtime)
            if watch.reading is None:
                raise ExtractionFailed("timeout", self._took_too_long(watch.overtime)) from error
            return await self._extracted(one, watch.reading, place, "drawing it takes too long"), False
        except WorkerDied as error:
            error.for_memory = error.gone and watch.died_for_memory(await one.exit_code())
            WORKER_KILLS.labels("out_of_memory" if error.for_memory else "died").inc()
            if watch.reading is None:
                raise
            return await self._extracted(one, watch.reading, place, "the PDF library crashes on it"), False
        if isinstance(answer, answers.Done):
            return await self._extracted(one, answer.reading, place), True
        if answer.code == "out_of_memory":
            WORKER_KILLS.labels("out_of_memory").inc()
            log.warning("worker killed for memory", mib=self.limits.memory_bytes // 2**20)
        raise ExtractionFailed(answer.code, answer.message)

    def _took_too_long(self, overtime: Overtime | None) -> str:
        if overtime == "computing":
            return f"The file takes more than {self.limits.killed_after:g} s of computing. Simplify or split it, and upload that."
        return f"Reading the file came to a standstill for {self.limits.wall_seconds:g} s. Save it anew with a PDF program."

    async def _extracted(
        self, one: WorkerProcess, reading: Reading, place: Workplace, no_picture: str | None = None
    ) -> Extracted:
        """Returns the result of the file. Raises WorkerDied where the worker's text cannot be believed."""
        pages, text, picture = await one.results(reading, place)
        if reading.thumbnail and picture is None:
            no_picture = "it cannot be drawn"
        return Extracted(
            page_count=reading.page_count,
            title=reading.title,
            metadata=reading.metadata,
            truncated=reading.truncated,
            pages_read=reading.pages_read,
            characters=reading.characters,
            notices=reading.notices if no_picture is None else (*reading.notices, no_thumbnail(no_picture)),
            text=text,
            pages=pages,
            thumbnail=picture,
        )


def _nobody(_page: int, _pages: int) -> None:
    """Ignores the progress of a file."""
