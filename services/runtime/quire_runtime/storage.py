"""The object store. The only file that knows aioboto3; what is raised is in `storage_errors`, puts and gets are in `objects`.

botocore's own retries are off: `retry.retrying` is the one way. Requests are as plain as can be, for stores other than AWS: no
checksum but the signature's, and Content-MD5 where S3 wants one.
"""

import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.handlers import add_expect_header

from quire_runtime import tracing
from quire_runtime.logs import get_logger
from quire_runtime.objects import CHUNK_BYTES, CONNECT_SECONDS, Objects
from quire_runtime.retry import retrying
from quire_runtime.settings import S3Settings
from quire_runtime.storage_errors import (
    MISSING,
    AlreadyThere,
    BucketMissing,
    ObjectMissing,
    RangeOutside,
    StorageRefuses,
    StorageUnavailable,
    failure,
    is_away,
    translated,
)

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

__all__ = [
    "DELETE_AT_ONCE",
    "PART_BYTES",
    "PROBE",
    "AlreadyThere",
    "MultipartUpload",
    "ObjectInfo",
    "ObjectMissing",
    "ObjectStore",
    "ObjectStream",
    "RangeOutside",
    "StorageRefuses",
    "StorageUnavailable",
    "is_away",
]

log = get_logger(__name__)

PART_BYTES = 8 * 1024 * 1024
"""Size of a multipart upload's parts; S3 wants at least 5 MiB and at most 10,000 of them: up to 80 GB."""
PIECE_BYTES = 1024 * 1024
DELETE_AT_ONCE = 1000
"""S3's limit of one delete request."""
SLOWEST = 32 * 1024
"""Bytes a second that a store has to take at least, of one request beside others. aiohttp counts a time-out only from when all
is written.
"""
PROBE = "probe"
"""The key of an empty object that is put at every start. It shows that objects can be read where S3 does not say what is
missing.
"""


class ObjectInfo(NamedTuple):
    """What the store knows about an object without reading it. `size` in bytes."""

    key: str
    size: int
    modified: datetime


class ObjectStream(AsyncIterator[bytes]):
    """An object's bytes as they come; to be read to the end or closed. `size` is the number of bytes this stream gives, and
    `content_range` says where they lie in the object, if they are not the whole, as HTTP's header does.
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
        """Lets go of the connection; harmless when read to the end."""
        self._body.close()


class MultipartUpload:
    """A large object while it is written, of at least one part; who writes it holds the parts."""

    def __init__(self, client: "S3Client", bucket: str, key: str, upload_id: str, patience: float) -> None:
        """`patience`: seconds without an answer."""
        self._client, self._bucket, self._key, self._id, self._patience = client, bucket, key, upload_id, patience
        self._etags: dict[int, str] = {}

    async def part(self, number: int, body: bytes | IO[bytes]) -> None:
        """Sends part `number` (from 1), each of PART_BYTES but the last. The same number may be sent again."""
        with translated(self._key):
            async with asyncio.timeout(self._patience + _size(body) / SLOWEST):
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


class ObjectStore:
    """One bucket. Used as `async with ObjectStore(settings) as store`; its methods may be called concurrently."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._stack = AsyncExitStack()
        self._session = AioSession()
        if settings.access_key is not None:
            self._session.set_credentials(settings.access_key, settings.secret_key or "")
        self._client: S3Client
        self._objects: Objects
        self.conditional = True
        """Whether the store can keep the first of two puts by itself."""

    async def __aenter__(self) -> Self:
        self._client = await self._stack.enter_async_context(self._connect())
        # Without "Expect: 100-continue" a part is one exchange, not two; and aiohttp waits for that 100 without any limit.
        self._client.meta.events.unregister("before-call.s3", add_expect_header)
        self._objects = await self._stack.enter_async_context(
            Objects(self._settings, self._session, self._client.meta.endpoint_url)
        )
        self._client.meta.events.register("before-call.s3.DeleteObjects", _with_md5)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def put(
        self,
        key: str,
        data: bytes | IO[bytes] | Path,
        content_type: str = "application/octet-stream",
        *,
        if_none_match: bool = False,
    ) -> None:
        """Stores an object; a file's content, from where it stands, or of a Path, by streaming it. With `if_none_match` only if
        there is none; else raises AlreadyThere. That is one step where the store is `conditional`; elsewhere both of two puts at
        the same time may pass. Raises StorageUnavailable.
        """
        if if_none_match and not self.conditional:
            await self._require_missing(key)
            if_none_match = False
        if isinstance(data, Path):
            with await asyncio.to_thread(data.open, "rb") as file:
                await self._put(key, file, content_type, if_none_match=if_none_match)
        else:
            await self._put(key, data, content_type, if_none_match=if_none_match)

    @asynccontextmanager
    async def multipart(self, key: str, content_type: str = "application/octet-stream") -> AsyncIterator[MultipartUpload]:
        """Writes an object of any size: complete when the block ends, aborted when it raises or is cancelled."""
        with self._span("MultipartUpload", key):
            with translated(key):
                answer = await self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=content_type)
            upload = MultipartUpload(self._client, self._bucket, key, answer["UploadId"], self._settings.timeout)
            try:
                yield upload
                await upload.complete()
            except BaseException:
                with _logged("a multipart upload could not be aborted, its parts stay until the bucket's lifecycle rule", key):
                    await upload.abort()
                raise

    async def get(self, key: str) -> bytes:
        """The whole object; for small ones. Raises ObjectMissing, StorageUnavailable."""
        async with self._missing_where_denied(key):
            with translated(key):
                return await self._objects.whole(key)

    async def stream(self, key: str, *, first: int = 0, last: int | None = None) -> ObjectStream:
        """The object's bytes from `first` to `last`, both inclusive as in HTTP's Range. Raises ObjectMissing, RangeOutside,
        StorageUnavailable.
        """
        part = {} if first == 0 and last is None else {"range": f"bytes={first}-{'' if last is None else last}"}
        async with self._missing_where_denied(key):
            return await self._stream(key, part)

    async def fetch_to(self, key: str, path: Path) -> str:
        """Writes the object to `path`; the hexadecimal sha256 of what was written. Raises ObjectMissing, StorageUnavailable, and
        OSError when the disk will not have it (ENOSPC). A file cut short by an error is the caller's to delete.
        """
        digest = hashlib.sha256()
        stream = await self.stream(key)
        try:
            with await asyncio.to_thread(path.open, "wb") as file:
                async for piece in _pieces(stream):
                    await asyncio.to_thread(_write, file, digest, piece)
        finally:
            await stream.aclose()
        return digest.hexdigest()

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Deletes what is there of these; what is not there is no error. Raises StorageUnavailable."""
        for start in range(0, len(keys), DELETE_AT_ONCE):
            some = keys[start : start + DELETE_AT_ONCE]
            with translated(some[0]):
                answer = await self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            for error in answer.get("Errors", []):
                if error.get("Code") not in MISSING:
                    raise failure(error.get("Key", ""), "DeleteObjects", error.get("Code", ""), error.get("Message", ""))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Every object under the prefix, in the order of keys. Raises StorageUnavailable."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        with translated(prefix):
            async for page in pages:
                for item in page.get("Contents", []):
                    yield ObjectInfo(item["Key"], item["Size"], item["LastModified"])

    async def ensure_bucket(self, *, make: bool = True, give_up_after: float | None = None) -> None:
        """Makes the bucket if it is missing; without `make` it is waited for. While the store is away it waits, for
        `give_up_after` seconds at most (None: for ever), then raises StorageUnavailable. Raises StorageRefuses at once.
        """
        await retrying(
            lambda: self._ensure_bucket(make=make),
            transient=is_away,
            give_up_after=give_up_after,
            on_retry=lambda error, attempt: log.warning("waiting for the object store", error=str(error), attempt=attempt),
        )

    async def check(self) -> None:
        """Raises unless the store answers now and has the bucket."""
        try:
            with translated(f"bucket {self._bucket}"):
                await self._client.head_bucket(Bucket=self._bucket)
        except StorageRefuses:  # the answer to a HEAD names no cause; and one can work without s3:ListBucket
            await self._look_at_probe()

    async def _stream(self, key: str, headers: dict[str, str]) -> ObjectStream:
        with translated(key):
            return ObjectStream(key, await self._objects.get(key, headers))

    async def _require_missing(self, key: str) -> None:
        with suppress(ObjectMissing):
            await (await self.stream(key)).aclose()
            raise AlreadyThere(key)

    @asynccontextmanager
    async def _missing_where_denied(self, key: str) -> AsyncIterator[None]:
        """Raises ObjectMissing where the store denies a key because it is not there."""
        try:
            yield
        except StorageRefuses as error:
            if error.denied and await self._is_missing(key):
                raise ObjectMissing(key) from None
            raise

    async def _is_missing(self, key: str) -> bool:
        """Of a key that the store denies. Without s3:ListBucket, S3 does so with every key that is not there."""
        try:
            async for found in self.list(key):
                return found.key != key
        except StorageRefuses:
            with suppress(StorageRefuses):
                await self._look_at_probe()
                return True
            return False
        return True

    async def _look_at_probe(self) -> None:
        """Raises StorageRefuses, StorageUnavailable."""
        with suppress(ObjectMissing):
            await (await self._stream(PROBE, {})).aclose()

    async def _ensure_bucket(self, *, make: bool) -> None:
        try:
            await self.check()
        except StorageRefuses:
            await self.put(PROBE, b"")  # the first one that comes without s3:ListBucket
        except ObjectMissing:
            if not make:
                message = f"bucket {self._bucket}: it is not there. Make it with the command `prepare`, or set QUIRE_PREPARE=true"
                raise BucketMissing(message) from None
            region = self._settings.region
            abroad: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
            try:
                with translated(f"bucket {self._bucket}"):
                    await self._client.create_bucket(Bucket=self._bucket, **abroad)
            except AlreadyThere:
                return
            log.info("bucket made", bucket=self._bucket)

    async def _put(self, key: str, body: bytes | IO[bytes], content_type: str, *, if_none_match: bool) -> None:
        size, headers = _size(body), {"content-type": content_type}
        if if_none_match:
            headers["if-none-match"] = "*"
        with self._span("PutObject", key), translated(key):
            async with asyncio.timeout(self._settings.timeout + size / SLOWEST):
                await self._objects.put(key, body, size, headers)

    def _span(self, method: str, key: str) -> tracing.Span:
        if not tracing.enabled():
            return tracing.OFF
        attributes = {
            "rpc.system.name": "aws-api",
            "rpc.method": f"S3/{method}",
            "aws.s3.bucket": self._bucket,
            "aws.s3.key": key,
        }
        return tracing.span(f"S3/{method}", attributes, kind="client")

    def _connect(self) -> Any:
        settings = self._settings
        config = AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            max_pool_connections=settings.pool_size,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=settings.timeout,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return aioboto3.Session(botocore_session=self._session).client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            config=config,
        )


async def _pieces(stream: ObjectStream) -> AsyncIterator[bytes]:
    """The stream in pieces worth a trip to another thread: the network gives some 16 KiB at a time."""
    buffer = bytearray()
    async for chunk in stream:
        buffer += chunk
        if len(buffer) >= PIECE_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _size(body: bytes | IO[bytes]) -> int:
    """Bytes from where the body stands."""
    if isinstance(body, bytes):
        return len(body)
    here = body.tell()
    end = body.seek(0, io.SEEK_END)
    body.seek(here)
    return end - here


def _with_md5(params: dict[str, Any], **_: object) -> None:
    """S3 wants some checksum with a bulk delete. MD5 is the one that every store knows, and botocore no longer sends."""
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
    params["context"]["checksum"].pop("request_algorithm", None)


def _write(file: BinaryIO, digest: "hashlib._Hash", piece: bytes) -> None:
    digest.update(piece)
    file.write(piece)
    file.flush()  # a full disk says so here, not when the file is closed


@contextmanager
def _logged(event: str, key: str) -> Iterator[None]:
    try:
        yield
    except (StorageUnavailable, ObjectMissing, AlreadyThere) as error:
        log.warning(event, key=key, error=str(error))
