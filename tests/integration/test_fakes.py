"""What tests make up is held to the real thing: the same promises, asked of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from tests.fakes.store import Store
from tests.integration.stack import Stack

from quire_runtime.settings import S3Settings
from quire_runtime.storage import AlreadyThere, ObjectMissing, ObjectStore

AnyStore = Store | ObjectStore


@pytest.fixture(params=["real", "fake"])
async def store(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[AnyStore]:
    if request.param == "fake":
        yield Store()
        return
    backing = stack.backing
    settings = S3Settings(
        endpoint=backing.s3_endpoint,
        bucket=f"test-{uuid4()}",
        access_key=backing.s3_access_key,
        secret_key=backing.s3_secret_key,
    )
    async with ObjectStore(settings) as real:
        await real.ensure_bucket()
        yield real


async def keys(store: AnyStore, prefix: str) -> list[tuple[str, int]]:
    return [(item.key, item.size) async for item in store.list(prefix)]


async def test_what_is_put_is_read_whatever_it_comes_from(store: AnyStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"of a path")
    await store.put("a/bytes", b"of bytes", "text/plain")
    await store.put("a/path", tmp_path / "file", "text/plain")
    await store.put("a/file", BytesIO(b"of a file"), "text/plain")
    assert [await store.get(f"a/{name}") for name in ("bytes", "path", "file")] == [b"of bytes", b"of a path", b"of a file"]
    assert await keys(store, "a/") == [("a/bytes", 8), ("a/file", 9), ("a/path", 9)]
    assert await keys(store, "b") == []


async def test_the_last_put_counts_but_for_conditional_ones_the_first(store: AnyStore) -> None:
    await store.put("a", b"1")
    await store.put("a", b"2")
    with pytest.raises(AlreadyThere):
        await store.put("a", b"3", if_none_match=True)
    assert await store.get("a") == b"2"
    puts = [store.put("b", bytes([number]), if_none_match=True) for number in range(5)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    [first] = [number for number, result in enumerate(results) if result is None]
    assert await store.get("b") == bytes([first])


async def test_what_is_not_there_is_said_and_may_be_deleted(store: AnyStore) -> None:
    await store.put("a", b"1")
    with pytest.raises(ObjectMissing):
        await store.get("b")
    await store.delete_many(["a", "b"])
    await store.delete_many([])
    with pytest.raises(ObjectMissing):
        await store.get("a")
    await store.put("a", b"2", if_none_match=True)
    assert await store.get("a") == b"2"
