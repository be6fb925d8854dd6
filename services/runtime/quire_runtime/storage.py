"""The object store. Only this file uses aioboto3. Exceptions are in `storage_errors`, puts and gets in `objects`.

botocore's own retries are off: `retry.retrying` is the one way to retry. Requests use as few features as possible, for stores
other than AWS: no checksum except the signature's, and Content-MD5 where S3 requires one.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.handlers import add_expect_header

from quire_runtime import tracing
from quire_runtime.logs import get_logger
from quire_runtime.objects import CONNECT_SECONDS, Objects
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
from quire_runtime.transfers import PART_BYTES, SLOWEST, MultipartUpload, ObjectInfo, ObjectStream, size_of, write_to

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

DELETE_AT_ONCE = 1000
"""Keys in one delete request at most; S3's limit."""
PROBE = "probe"
"""The key of an empty object that is put at every start. Reading it shows whether objects can be read at all, on stores that
answer "access denied" for a missing key.
"""


class ObjectStore:
    """One bucket. Use as `async with ObjectStore(settings) as store`. Its methods may be called concurrently."""

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
        """Whether the store itself can keep the first of two conditional puts."""

    async def __aenter__(self) -> Self:
        self._client = await self._stack.enter_async_context(self._connect())
        # Without "Expect: 100-continue" a part takes one exchange, not two; and aiohttp would wait for the 100 without limit.
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
        """Stores an object. An open file is read from its current position; a Path is opened and streamed. With
        `if_none_match`, raises AlreadyThere if the object exists. That is atomic where the store is `conditional`; elsewhere,
        two puts at the same time may both succeed. Raises StorageUnavailable.
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
        """Writes an object of any size. The end of the block completes it; an exception or a cancellation aborts it."""
        with self._span("MultipartUpload", key):
            with translated(key):
                answer = await self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=content_type)
            upload = MultipartUpload(self._client, self._bucket, key, answer["UploadId"], self._settings.timeout_seconds)
            try:
                yield upload
                await upload.complete()
            except BaseException:
                with _logged("a multipart upload could not be aborted, its parts stay until the bucket's lifecycle rule", key):
                    await upload.abort()
                raise

    async def get(self, key: str) -> bytes:
        """Returns the whole object; only for small objects. Raises ObjectMissing, StorageUnavailable."""
        async with self._missing_where_denied(key):
            with translated(key):
                return await self._objects.whole(key)

    async def stream(self, key: str, *, first: int = 0, last: int | None = None) -> ObjectStream:
        """Returns the object's bytes from `first` to `last`, both inclusive as in HTTP's Range. Raises ObjectMissing,
        RangeOutside, StorageUnavailable.
        """
        part = {} if first == 0 and last is None else {"range": f"bytes={first}-{'' if last is None else last}"}
        async with self._missing_where_denied(key):
            return await self._stream(key, part)

    async def fetch_to(self, key: str, path: Path) -> str:
        """Writes the object to `path`, and returns the hexadecimal sha256 of the written bytes. Raises ObjectMissing,
        StorageUnavailable, and OSError when the disk refuses it (ENOSPC). After an error the caller must delete the partial
        file.
        """
        return await write_to(path, await self.stream(key))

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Deletes these objects; missing ones are no error. Raises StorageUnavailable."""
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
        """Yields every object under the prefix, in the order of keys. Raises StorageUnavailable."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        with translated(prefix):
            async for page in pages:
                for item in page.get("Contents", []):
                    yield ObjectInfo(item["Key"], item["Size"], item["LastModified"])

    async def ensure_bucket(self, *, make: bool = True, give_up_after: float | None = None) -> None:
        """Makes the bucket if it is missing; without `make`, waits for it. Waits while the store is away, for `give_up_after`
        seconds at most (None: for ever), then raises StorageUnavailable. Raises StorageRefuses at once.
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
        except StorageRefuses:  # the answer to a HEAD names no cause; and the service can work without s3:ListBucket
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
        """Raises ObjectMissing when the store denies access to a key that does not exist."""
        try:
            yield
        except StorageRefuses as error:
            if error.denied and await self._is_missing(key):
                raise ObjectMissing(key) from None
            raise

    async def _is_missing(self, key: str) -> bool:
        """Returns whether a key that the store denies is missing. Without s3:ListBucket, S3 denies every missing key."""
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
        """Reads the probe object, if it exists. Raises StorageRefuses, StorageUnavailable."""
        with suppress(ObjectMissing):
            await (await self._stream(PROBE, {})).aclose()

    async def _ensure_bucket(self, *, make: bool) -> None:
        try:
            await self.check()
        except StorageRefuses:
            await self.put(PROBE, b"")  # without s3:ListBucket, the first start puts the probe here
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
        size, headers = size_of(body), {"content-type": content_type}
        if if_none_match:
            headers["if-none-match"] = "*"
        with self._span("PutObject", key), translated(key):
            async with asyncio.timeout(self._settings.timeout_seconds + size / SLOWEST):
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
            read_timeout=settings.timeout_seconds,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return aioboto3.Session(botocore_session=self._session).client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            config=config,
        )


def _with_md5(params: dict[str, Any], **_: object) -> None:
    """Adds a Content-MD5 to a bulk delete. S3 requires a checksum there; every store knows MD5, and botocore no longer sends
    it.
    """
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
    params["context"]["checksum"].pop("request_algorithm", None)


@contextmanager
def _logged(event: str, key: str) -> Iterator[None]:
    try:
        yield
    except (StorageUnavailable, ObjectMissing, AlreadyThere) as error:
        log.warning(event, key=key, error=str(error))
