"""The object store on a real S3 server."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from quire_runtime.settings import S3Settings
from quire_runtime.storage import (
    PART_BYTES,
    AlreadyThere,
    ObjectMissing,
    ObjectStore,
    RangeOutside,
    StorageUnavailable,
)


def settings_of(stack: Any, **changes: Any) -> S3Settings:
    backing = stack.backing
    return S3Settings(
        **{
            "endpoint": backing.s3_endpoint,
            "bucket": f"test-{uuid4()}",
            "access_key": backing.s3_access_key,
            "secret_key": backing.s3_secret_key,
        }
        | changes
    )


@pytest.fixture
async def store(stack: Any) -> AsyncIterator[ObjectStore]:
    async with ObjectStore(settings_of(stack)) as store:
        await store.ensure_bucket()
        yield store


async def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [item.key async for item in store.list(prefix)]


async def test_a_bucket_is_made_once_however_many_ask(stack: Any):
    settings = settings_of(stack)
    async with ObjectStore(settings) as one, ObjectStore(settings) as two:
        with pytest.raises(ObjectMissing):
            await one.check()
        await asyncio.gather(one.ensure_bucket(), two.ensure_bucket(), one.ensure_bucket())
        await two.check()


async def test_what_is_put_is_what_one_gets(store: ObjectStore, tmp_path: Path):
    data = os.urandom(300_000)
    file = tmp_path / "file"
    file.write_bytes(data)
    await store.put("a/bytes", data, "application/pdf")
    await store.put("a/file", file, "application/pdf")
    await store.put("a/empty", b"")
    assert await store.get("a/bytes") == data
    assert await store.get("a/file") == data
    assert await store.get("a/empty") == b""
    assert [(item.key, item.size) async for item in store.list("a/")] == [
        ("a/bytes", 300_000),
        ("a/empty", 0),
        ("a/file", 300_000),
    ]


async def test_only_the_first_conditional_put_is_kept(store: ObjectStore):
    attempts = [store.put("manifest", bytes([n]), if_none_match=True) for n in range(8)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    winners = [n for n, result in enumerate(results) if result is None]
    assert len(winners) == 1
    assert all(isinstance(result, AlreadyThere) for result in results if result is not None)
    assert await store.get("manifest") == bytes(winners)


async def test_what_is_not_there_is_missing_and_nothing_else(store: ObjectStore, tmp_path: Path):
    for ask in (store.get("none"), store.stream("none"), store.fetch_to("none", tmp_path / "none")):
        with pytest.raises(ObjectMissing):
            await ask


async def test_a_stream_knows_its_size_and_gives_ranges(store: ObjectStore):
    data = os.urandom(700_000)
    await store.put("big", data, "application/pdf")
    whole = await store.stream("big")
    assert (whole.size, whole.content_range) == (700_000, None)
    assert b"".join([chunk async for chunk in whole]) == data
    part = await store.stream("big", first=1000, last=1999)
    assert (part.size, part.content_range) == (1000, "bytes 1000-1999/700000")
    assert b"".join([chunk async for chunk in part]) == data[1000:2000]
    with pytest.raises(RangeOutside):
        await store.stream("big", first=700_000)
    left = await store.stream("big")
    await anext(left)
    await left.aclose()


async def test_fetching_gives_the_sum_of_what_was_written(store: ObjectStore, tmp_path: Path):
    data = os.urandom(1_000_000)
    await store.put("big", data)
    assert await store.fetch_to("big", tmp_path / "big") == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "big").read_bytes() == data


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_full_disk_is_an_error_of_the_disk_not_of_the_store(store: ObjectStore):
    await store.put("big", os.urandom(1_000_000))
    with pytest.raises(OSError, match="No space left"):
        await store.fetch_to("big", Path("/dev/full"))


@pytest.mark.parametrize("size", [1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 12_345])
async def test_a_multipart_upload_is_its_parts_and_one_may_be_sent_again(store: ObjectStore, size: int):
    data = os.urandom(size)
    async with store.multipart("large", "application/pdf") as upload:
        for number, start in enumerate(range(0, size, PART_BYTES), 1):
            await upload.part(number, data[start : start + PART_BYTES])
        await upload.part(1, io.BytesIO(data[:PART_BYTES]))
    assert hashlib.sha256(await store.get("large")).digest() == hashlib.sha256(data).digest()


async def test_a_multipart_upload_cut_off_leaves_nothing(store: ObjectStore):
    started = asyncio.Event()

    async def broken() -> None:
        async with store.multipart("large") as upload:
            await upload.part(1, bytes(PART_BYTES))
            raise ZeroDivisionError

    async def endless() -> None:
        async with store.multipart("large") as upload:
            await upload.part(1, bytes(PART_BYTES))
            started.set()
            await asyncio.sleep(3600)

    with pytest.raises(ZeroDivisionError):
        await broken()
    task = asyncio.create_task(endless())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(store) == []
    uploads = await store._client.list_multipart_uploads(Bucket=store._bucket)
    assert uploads.get("Uploads", []) == []


async def test_deleting_what_is_not_there_is_no_error(store: ObjectStore):
    names = [f"many/{n:04}" for n in range(1100)]
    for start in range(0, 1100, 100):
        await asyncio.gather(*(store.put(name, b"x") for name in names[start : start + 100]))
    assert await keys(store, "many/") == names
    await store.delete_many([*names, "never/there"])
    await store.delete_many([])
    assert await keys(store) == []


@pytest.mark.parametrize("changes", [{"endpoint": "http://127.0.0.1:9"}, {"secret_key": "wrong"}])
async def test_a_store_that_is_away_or_refuses_is_unavailable(stack: Any, tmp_path: Path, changes: dict[str, str]):
    async with ObjectStore(settings_of(stack, **changes)) as store:
        for ask in (store.get("a"), store.put("a", b"x"), store.fetch_to("a", tmp_path / "a"), store.delete_many(["a"])):
            with pytest.raises(StorageUnavailable):
                await ask
        with pytest.raises(StorageUnavailable):
            await store.ensure_bucket(give_up_after=0.2)
        with pytest.raises(StorageUnavailable):
            await keys(store)
        with pytest.raises(StorageUnavailable):
            async with store.multipart("a"):
                pytest.fail("it began")


async def test_an_answer_cut_off_is_not_taken_for_the_whole(tmp_path: Path):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: application/pdf\r\n\r\nonly this")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = S3Settings(endpoint=f"http://127.0.0.1:{port}", access_key="a", secret_key="b")
    async with server, ObjectStore(settings) as store:
        with pytest.raises(StorageUnavailable):
            await store.get("a")
        with pytest.raises(StorageUnavailable):
            await store.fetch_to("a", tmp_path / "a")


async def test_a_store_that_hangs_is_unavailable(tmp_path: Path):
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = S3Settings(endpoint=f"http://127.0.0.1:{port}", access_key="a", secret_key="b", timeout=0.2)
    (tmp_path / "a").write_bytes(b"some bytes")
    async with server, ObjectStore(settings) as store:
        for ask in (store.get("a"), store.put("a", b"x"), store.put("a", io.BytesIO(b"x")), store.put("a", tmp_path / "a")):
            async with asyncio.timeout(20):
                with pytest.raises(StorageUnavailable):
                    await ask
