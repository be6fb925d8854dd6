"""Processes one file: fetches it from S3, extracts it in a worker process, writes its rows, stores its artefacts
(docs/design.md, "A file").

A service or disk that is away is waited for up to the outage limit; only then does the file fail, with the code for that
outage. The pipeline knows nothing about the log: it returns an outcome, and the run sees to it that the outcome is folded.
"""

import asyncio
import errno
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from quire_processor.documents import Documents
from quire_processor.extracted import Extracted, ExtractionFailed
from quire_processor.metrics import FILE_STAGE_SECONDS
from quire_processor.pool import WorkerPool
from quire_processor.shares import Turns
from quire_processor.workplace import SMALL, Workplace
from quire_runtime import tracing
from quire_runtime.clock import Clock
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient
from quire_runtime.retry import retrying
from quire_runtime.storage import ObjectMissing, ObjectStore, StorageRefuses, StorageUnavailable
from quire_schemas import object_keys
from quire_schemas.events import Dependency, FileCode, FileFailed, FileProcessed, FileStage
from quire_schemas.states import BatchState, FileState

T = TypeVar("T")
log = get_logger(__name__)

REFUSED_SECONDS = 15.0
"""Seconds for which a refusal of the object store is tried again: changed rights and keys take a while to take effect."""
_INSERT = {"db.system.name": "postgresql", "db.collection.name": "document"}


class Watcher(Protocol):
    """Is told how far each file has come."""

    def at(self, file_id: str, stage: FileStage, page: int | None = None, pages: int | None = None) -> None: ...
    def waiting_for(self, file_id: str, dependency: Dependency | None) -> None: ...
    def inserted(self, file_id: str) -> None: ...
    def uploaded(self, file_id: str, keys: tuple[str, ...]) -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """One file of one run. `position` is the file's place in the batch, from 0."""

    batch: BatchState
    run_id: str
    file: FileState
    position: int


class FileError(Exception):
    """The file fails with `code`; the message is the sentence its owner reads."""

    def __init__(self, code: FileCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Pipeline:
    """Processes files. `outage_limit` is in seconds; `directory` is where originals and results lie meanwhile."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        documents: Documents,
        pool: WorkerPool,
        turns: Turns,
        clock: Clock,
        directory: Path,
        outage_limit: float,
    ) -> None:
        self._store = store
        self._documents = documents
        self._pool = pool
        self._turns = turns
        self._clock = clock
        self._directory = directory
        self._outage_limit = outage_limit

    async def process(self, job: Job, watcher: Watcher) -> FileProcessed | FileFailed:
        """Processes the file and returns its outcome. Raises Fenced where a later run has taken the file over."""
        started = self._clock.monotonic()
        try:
            async with Workplace(self._directory) as place:
                return await self._worked(job, watcher, place, started)
        except FileError as error:
            return FileFailed(
                run_id=job.run_id,
                file_id=job.file.file_id,
                code=error.code,
                message=str(error),
                duration_ms=self._since(started),
            )

    async def _worked(self, job: Job, watcher: Watcher, place: Workplace, started: float) -> FileProcessed:
        watcher.at(job.file.file_id, "fetching")
        with tracing.span("fetch"), _timed("fetching"):
            source = await self._fetch(job, watcher, place)
        with tracing.span("extract"), _timed("extracting"):
            extracted = await self._extract(job, watcher, source, place)
        watcher.at(job.file.file_id, "inserting")
        with tracing.span("insert", _INSERT, kind="client"), _timed("inserting"):
            await self._insert(job, watcher, extracted)
        watcher.inserted(job.file.file_id)
        watcher.at(job.file.file_id, "uploading")
        with tracing.span("upload"), _timed("uploading"):
            text, thumbnail = await self._upload(job, watcher, extracted)
        watcher.uploaded(job.file.file_id, tuple(key for key in (text, thumbnail) if key is not None))
        return FileProcessed(
            run_id=job.run_id,
            file_id=job.file.file_id,
            page_count=extracted.page_count,
            title=extracted.title,
            text_key=text,
            thumbnail_key=thumbnail,
            truncated=extracted.truncated,
            pages_read=extracted.pages_read,
            characters=extracted.characters,
            notices=extracted.notices,
            duration_ms=self._since(started),
        )

    def _since(self, started: float) -> int:
        """Returns the milliseconds since `started`."""
        return round((self._clock.monotonic() - started) * 1000)

    async def _fetch(self, job: Job, watcher: Watcher, place: Workplace) -> bytes | Path:
        """Returns the original: its content where it is small, else its path. Raises FileError."""

        async def fetch() -> tuple[bytes | Path, str]:
            if job.file.size <= SMALL:
                content = await self._store.get(job.file.object_key)
                return content, hashlib.sha256(content).hexdigest()
            path = place.path("original.pdf")
            return path, await self._store.fetch_to(job.file.object_key, path)

        try:
            source, sha256 = await self._patiently(fetch, job, watcher, "storage")
            if sha256 != job.file.sha256:  # fetched once more: the network may have garbled it
                source, sha256 = await self._patiently(fetch, job, watcher, "storage")
        except ObjectMissing as error:
            raise FileError(
                "object_missing", "The stored original is gone from object storage. Upload the file again."
            ) from error
        if sha256 != job.file.sha256:
            raise FileError("object_corrupt", "The stored original is not what was uploaded. Upload the file again.")
        return source

    async def _extract(self, job: Job, watcher: Watcher, source: bytes | Path, place: Workplace) -> Extracted:
        def on_page(page: int, pages: int) -> None:
            watcher.at(job.file.file_id, "extracting", page, pages)

        async def extract() -> Extracted:
            try:
                async with self._turns.of(job.batch.collection_id):
                    watcher.at(job.file.file_id, "extracting")
                    return await self._pool.extract(source, place, on_page)
            except ExtractionFailed as error:
                if error.code == "disk_full":
                    raise OSError(errno.ENOSPC, str(error)) from error
                raise FileError(error.code, str(error)) from error

        return await self._patiently(extract, job, watcher, "disk")

    async def _insert(self, job: Job, watcher: Watcher, extracted: Extracted) -> None:
        async def insert() -> None:
            await self._documents.insert(job.file, job.batch, job.run_id, extracted, self._clock.now())

        await self._patiently(insert, job, watcher, "database")

    async def _upload(self, job: Job, watcher: Watcher, extracted: Extracted) -> tuple[str, str | None]:
        where = job.batch.batch_id, job.run_id, job.position
        text = object_keys.text_key(*where)

        async def upload_text() -> None:
            await self._store.put(text, extracted.text, "application/json")

        if extracted.thumbnail is None:
            await self._patiently(upload_text, job, watcher, "storage")
            return text, None
        image, thumbnail = extracted.thumbnail, object_keys.thumbnail_key(*where)

        async def upload_thumbnail() -> None:
            await self._store.put(thumbnail, image, "image/jpeg")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._patiently(upload_text, job, watcher, "storage"))
                group.create_task(self._patiently(upload_thumbnail, job, watcher, "storage"))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return text, thumbnail

    async def _patiently(self, step: Callable[[], Awaitable[T]], job: Job, watcher: Watcher, on: Dependency) -> T:
        """Repeats the step while something that it needs is away, and tells the watcher.

        Raises FileError once the outage limit has passed, or REFUSED_SECONDS after storage has begun to refuse.
        """
        refused: list[float] = []

        def is_worth_it(error: Exception) -> bool:
            if isinstance(error, StorageRefuses):
                refused.append(self._clock.monotonic())
                return refused[-1] - refused[0] < REFUSED_SECONDS
            return _lacking(error, on) is not None

        def waiting(error: Exception, attempt: int) -> None:
            watcher.waiting_for(job.file.file_id, _lacking(error, on) or on)
            if attempt in (1, 10):
                log.warning("file waits", file_id=job.file.file_id, waits_for=_lacking(error, on), error=str(error))

        try:
            return await retrying(step, transient=is_worth_it, give_up_after=self._outage_limit, on_retry=waiting)
        except StorageRefuses as error:
            log.error("file failed, as storage refuses", file_id=job.file.file_id, error=str(error))  # noqa: TRY400 -- the message says it all
            raise FileError("storage_unavailable", _REFUSED) from error
        except Exception as error:
            lacking = _lacking(error, on)
            if lacking is None:
                raise
            raise FileError(*_OUTAGES[lacking]) from error
        finally:
            watcher.waiting_for(job.file.file_id, None)


def _timed(stage: FileStage) -> AbstractContextManager[object]:
    return FILE_STAGE_SECONDS.labels(stage).time()


_REFUSED = (
    "Object storage refuses what the processor asks for. The cause is in its log, for its operator to mend; then retry the batch."
)
_OUTAGES: dict[Dependency, tuple[FileCode, str]] = {
    "storage": ("storage_unavailable", "Object storage could not be reached for too long. Retry the batch later."),
    "database": ("database_unavailable", "The database could not be reached for too long. Retry the batch later."),
    "disk": ("disk_full", "The processor's disk was full for too long. Free some space, then retry the batch."),
}


def _lacking(error: Exception, on: Dependency) -> Dependency | None:
    """Returns what is away according to the error of a step that needs `on`; None where nothing is."""
    if isinstance(error, StorageUnavailable):
        return "storage"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    return "database" if on == "database" and is_transient(error) else None
