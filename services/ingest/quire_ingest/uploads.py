"""Stores the files of one request in the object store: a few at a time, while the next file is received."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from quire_ingest.finishing import finishing
from quire_ingest.segments import Memory, Segment
from quire_runtime.logs import get_logger
from quire_runtime.retry import retrying
from quire_runtime.storage import ObjectStore, is_away

log = get_logger(__name__)

CONTENT_TYPE = "application/pdf"


class UploadTerms(NamedTuple):
    """Settings for storing files.

    `at_once` files of one request are stored at once. `sends` bounds the files and parts of all requests that are sent at once.
    `patience` is the time in seconds to try again while the store is away. Bytes wait in `memory`, or in `directory`.
    """

    at_once: int
    sends: asyncio.Semaphore
    patience: float
    memory: Memory
    directory: Path


class LargeUpload:
    """A file of more than one segment, which is sent part by part: one segment waits while another one is sent."""

    def __init__(self) -> None:
        self.segments: asyncio.Queue[Segment | None] = asyncio.Queue(1)
        self.abandoned = False
        self.stored: asyncio.Task[None]

    def refuse_abandoned(self) -> None:
        """Raises _Abandoned where the file is rejected after all. Inside a multipart upload, the exception aborts the upload."""
        if self.abandoned:
            raise _Abandoned


class Uploads:
    """The files that one request stores. `keys` has all keys under which the request has stored an object, or may have."""

    def __init__(self, group: asyncio.TaskGroup, store: ObjectStore, terms: UploadTerms) -> None:
        self.keys: list[str] = []
        self._group = group
        self._store = store
        self._terms = terms
        self._slots = asyncio.Semaphore(terms.at_once)
        self._open: set[Segment] = set()

    def segment(self) -> Segment:
        """Returns an empty segment, which is closed at the end of the request at the latest."""
        segment = Segment(self._terms.memory, self._terms.directory)
        self._open.add(segment)
        return segment

    def discard(self, segment: Segment) -> None:
        self._open.discard(segment)
        segment.close()

    def close(self) -> None:
        for segment in tuple(self._open):
            self.discard(segment)

    async def small(self, key: str, segment: Segment) -> asyncio.Task[None]:
        """Begins to store a whole file, once a place is free. The task is done when the file is stored."""
        return await self._begin(key, lambda: self._put(key, segment))

    async def large(self, key: str) -> LargeUpload:
        """Begins to store a file whose end is not received yet, once a place is free."""
        upload = LargeUpload()
        upload.stored = await self._begin(key, lambda: self._send_parts(key, upload))
        return upload

    async def _begin(self, key: str, send: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        await self._slots.acquire()
        self.keys.append(key)
        return self._group.create_task(self._in_its_place(send))

    async def _in_its_place(self, send: Callable[[], Awaitable[None]]) -> None:
        try:
            await send()
        finally:
            self._slots.release()

    async def _put(self, key: str, segment: Segment) -> None:
        await self._patiently(lambda: self._store.put(key, segment.body(), CONTENT_TYPE))
        self.discard(segment)

    async def _send_parts(self, key: str, upload: LargeUpload) -> None:
        try:
            async with self._store.multipart(key, CONTENT_TYPE) as parts:
                number = 0
                while (segment := await upload.segments.get()) is not None:
                    number += 1
                    await self._patiently(lambda number=number, segment=segment: parts.part(number, segment.body()))  # type: ignore[misc]
                    self.discard(segment)
                upload.refuse_abandoned()
        except _Abandoned:
            self.keys.remove(key)

    async def _patiently(self, send: Callable[[], Awaitable[None]]) -> None:
        async def in_turn() -> None:
            async with self._terms.sends:  # the bytes have been received: no slow client can hold a place
                await send()

        await retrying(
            in_turn,
            transient=is_away,
            give_up_after=self._terms.patience,
            on_retry=lambda error, attempt: log.warning("storing again", error=str(error), attempt=attempt),
        )


class _Abandoned(Exception):
    """The file was abandoned while it was received."""


@asynccontextmanager
async def uploading(store: ObjectStore, terms: UploadTerms) -> AsyncIterator[Uploads]:
    """A context with the uploads of one request. When the block ends, all files that were begun are stored.

    Where the block raises an exception, uploads under way end first, so that objects that are deleted afterwards stay deleted.
    Where storing fails, the block is cancelled and StorageUnavailable is raised.
    """
    with ExitStack() as afterwards:
        async with finishing() as group:
            uploads = Uploads(group, store, terms)
            afterwards.callback(uploads.close)
            yield uploads
