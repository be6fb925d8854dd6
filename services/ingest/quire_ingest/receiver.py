"""Receives one file: checks and hashes it, and hands it on in segments."""

import asyncio
import hashlib
from typing import NamedTuple

from quire_ingest import metrics
from quire_ingest.filenames import clean, relative_path
from quire_ingest.rejection import HEAD_BYTES, Rejection, looks_like_pdf, rejection_of
from quire_ingest.segments import Segment
from quire_ingest.uploads import LargeUpload, Uploads
from quire_runtime.storage import PART_BYTES


class Received(NamedTuple):
    """A file that was received whole. `stored` is the task that stores it; None where it is rejected, or only compared."""

    filename: str
    path: str | None
    size: int
    sha256: str
    rejection: Rejection | None
    key: str
    stored: asyncio.Task[None] | None


class Receiver:
    """Takes the bytes of one file. Without `uploads`, the file is only checked and hashed, and not stored."""

    def __init__(self, name: str | None, key: str, limit: int, uploads: Uploads | None) -> None:
        """`name` is as the client gives it; `limit` is the largest size of a file, in bytes."""
        self._filename, self._path = clean(name), relative_path(name)
        self._key = key
        self._limit = limit
        self._uploads = uploads
        self._size = 0
        self._head = b""
        self._digest = hashlib.sha256()
        self._segment: Segment | None = None
        self._large: LargeUpload | None = None

    async def write(self, chunk: bytes) -> None:
        """Takes the next bytes. Raises OSError where the disk that stands in for memory is full."""
        self._size += len(chunk)
        self._digest.update(chunk)
        metrics.RECEIVED_BYTES.inc(len(chunk))
        if len(self._head) < HEAD_BYTES:
            self._head += chunk[: HEAD_BYTES - len(self._head)]
        if self._uploads is None:
            return
        if self._hopeless():
            await self.abandon()
        else:
            await self._keep(self._uploads, memoryview(chunk))

    async def end(self) -> Received:
        rejection = rejection_of(self._head, self._size, self._limit)
        stored = None
        if rejection is not None:
            await self.abandon()
        elif self._uploads is not None:
            stored = await self._finish(self._uploads)
        return Received(self._filename, self._path, self._size, self._digest.hexdigest(), rejection, self._key, stored)

    async def abandon(self) -> None:
        """Forgets the bytes of the file, and aborts its upload if it is a large one. May be called twice."""
        if self._uploads is not None and self._segment is not None:
            self._uploads.discard(self._segment)
            self._segment = None
        if self._large is not None:
            self._large.abandoned = True
            await self._large.segments.put(None)
            self._large = None

    def _hopeless(self) -> bool:
        return self._size > self._limit or (len(self._head) == HEAD_BYTES and not looks_like_pdf(self._head))

    async def _keep(self, uploads: Uploads, rest: memoryview) -> None:
        while rest:
            if self._segment is None:
                self._segment = uploads.segment()
            elif self._segment.size == PART_BYTES:
                await self._hand_on(uploads, self._segment)
                self._segment = uploads.segment()
            room = PART_BYTES - self._segment.size
            await self._segment.write(rest[:room])
            rest = rest[room:]

    async def _hand_on(self, uploads: Uploads, segment: Segment) -> None:
        if self._large is None:
            self._large = await uploads.large(self._key)
        await self._large.segments.put(segment)

    async def _finish(self, uploads: Uploads) -> asyncio.Task[None]:
        assert self._segment is not None  # noqa: S101 -- a file that is not rejected is not empty
        if self._large is None:
            return await uploads.small(self._key, self._segment)
        await self._large.segments.put(self._segment)
        await self._large.segments.put(None)
        return self._large.stored
