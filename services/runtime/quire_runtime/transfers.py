"""Transfers of objects: downloads as a stream, uploads in parts. Exceptions are in `storage_errors`."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, NamedTuple

import aiohttp

from quire_runtime.objects import CHUNK_BYTES
from quire_runtime.storage_errors import StorageUnavailable, translated

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PART_BYTES = 8 * 1024 * 1024
"""Bytes of a multipart upload's parts. S3 allows at least 5 MiB and at most 10,000 parts, so objects of up to 80 GB."""
PIECE_BYTES = 1024 * 1024
SLOWEST = 32 * 1024
"""The slowest rate, in bytes a second, at which a store may take one request beside others. It is needed because aiohttp's
time-out starts only when everything is written.
"""


class ObjectInfo(NamedTuple):
    """What the store knows about an object without its content. `size` is in bytes."""

    key: str
    size: int
    modified: datetime


class ObjectStream(AsyncIterator[bytes]):
    """An object's bytes as they arrive. It must be read to the end or closed. `size` is the number of bytes in this stream. If
    they are not the whole object, `content_range` is their place in it, as in HTTP's header.
    """

    def __init__(self, key: str, answer: aiohttp.ClientResponse) -> None:
        self.key = key
        self.size = int(answer.headers["Content-Length"])
        self.content_range = answer.headers.get("Content-Range")
        self._body = answer
        self._left = self.size

    async def __anext__(self) -> bytes:
        try:
            with translated(self.key):
                chunk = await self._body.content.read(CHUNK_BYTES)
        except BaseException:
            self._body.close()
            raise
        self._left -= len(chunk)
        if not chunk:
            self._body.close()
            if self._left:
                raise StorageUnavailable(f"{self.key}: {self._left} bytes did not come")
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Releases the connection. Does nothing when the stream was read to the end."""
        self._body.close()


class MultipartUpload:
    """A large object while it is written, in one part or more. The writer holds the parts."""

    def __init__(self, client: "S3Client", bucket: str, key: str, upload_id: str, patience: float) -> None:
        """`patience` is how long, in seconds, the store may be silent."""
        self._client, self._bucket, self._key, self._id, self._patience = client, bucket, key, upload_id, patience
        self._etags: dict[int, str] = {}

    async def part(self, number: int, body: bytes | IO[bytes]) -> None:
        """Sends part `number` (from 1). Every part but the last has PART_BYTES. The same number may be sent again."""
        with translated(self._key):
            async with asyncio.timeout(self._patience + size_of(body) / SLOWEST):
                answer = await self._client.upload_part(
                    Bucket=self._bucket, Key=self._key, UploadId=self._id, PartNumber=number, Body=body
                )
        self._etags[number] = answer["ETag"]

    async def complete(self) -> None:
        parts = [{"ETag": etag, "PartNumber": number} for number, etag in sorted(self._etags.items())]
        with translated(self._key):
            await self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]  # the stub wants a TypedDict by name
            )

    async def abort(self) -> None:
        with translated(self._key):
            await self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._id)


async def pieces(stream: ObjectStream) -> AsyncIterator[bytes]:
    """Yields the stream in pieces large enough for a hand-over to another thread. The network gives about 16 KiB at a time."""
    buffer = bytearray()
    async for chunk in stream:
        buffer += chunk
        if len(buffer) >= PIECE_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def size_of(body: bytes | IO[bytes]) -> int:
    """Returns the number of bytes from the body's current position to its end."""
    if isinstance(body, bytes):
        return len(body)
    here = body.tell()
    end = body.seek(0, io.SEEK_END)
    body.seek(here)
    return end - here


async def write_to(path: Path, stream: ObjectStream) -> str:
    """Writes the stream to `path`, closes the stream, and returns the hexadecimal sha256 of the written bytes. Raises
    StorageUnavailable, and OSError when the disk refuses them (ENOSPC).
    """
    digest = hashlib.sha256()
    try:
        with await asyncio.to_thread(path.open, "wb") as file:
            async for piece in pieces(stream):
                await asyncio.to_thread(_write, file, digest, piece)
    finally:
        await stream.aclose()
    return digest.hexdigest()


def _write(file: BinaryIO, digest: "hashlib._Hash", piece: bytes) -> None:
    digest.update(piece)
    file.write(piece)
    file.flush()  # a full disk raises here, not when the file is closed
