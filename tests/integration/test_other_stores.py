"""Stores that refuse what S3 can: Quire works with them where it can, and else names what has to be changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from tests.integration.client import serving
from tests.integration.gate import Gate, Headers, gated, is_object
from tests.integration.stack import Stack
from tests.integration.test_runtime_storage import settings_of
from tests.samples_pdf import simple_pdf

from quire_runtime.errors import CannotServe
from quire_runtime.probing import lacking, probed
from quire_runtime.storage import AlreadyThere, ObjectMissing, ObjectStore, StorageRefuses, is_away


@asynccontextmanager
async def behind(stack: Any, **habits: Any) -> AsyncIterator[tuple[Gate, ObjectStore]]:
    """A store with these habits, whose bucket was made before."""
    settings = settings_of(stack, bucket=f"test-{uuid4()}")
    async with ObjectStore(settings) as plain:
        await plain.ensure_bucket()
    async with (
        gated(stack, **habits) as gate,
        ObjectStore(settings_of(stack, bucket=settings.bucket, endpoint=gate.endpoint)) as store,
    ):
        yield gate, store


async def works(store: ObjectStore) -> list[str]:
    """What a service does with it from its start on; what the start had to say."""
    async with asyncio.timeout(30):
        await store.ensure_bucket(give_up_after=5)
        found = await lacking(store, "originals/", claims=True)
        await store.check()
        await store.put("originals/a", b"a")
        async with store.multipart("originals/b") as upload:
            await upload.part(1, b"b")
        assert await store.get("originals/a") == b"a"
        with pytest.raises(ObjectMissing):
            await store.get("originals/none")
        await store.put("manifest", b"first", if_none_match=True)
        with pytest.raises(AlreadyThere):
            await store.put("manifest", b"second", if_none_match=True)
        assert await store.get("manifest") == b"first"
    return found


def sums(_method: str, _path: str, headers: Headers) -> tuple[int, str] | None:
    extra = [name for name in headers if name.startswith(("x-amz-checksum-", "x-amz-sdk-checksum-", "x-amz-trailer"))]
    return (400, "XAmzContentSHA256Mismatch") if extra else None


def bulk_without_md5(method: str, path: str, headers: Headers) -> tuple[int, str] | None:
    return (400, "MissingContentMD5") if method == "POST" and path.endswith("?delete") and "content-md5" not in headers else None


def conditions(method: str, _path: str, headers: Headers) -> tuple[int, str] | None:
    return (501, "NotImplemented") if method == "PUT" and "if-none-match" in headers else None


def listing(method: str, path: str, _headers: Headers) -> tuple[int, str] | None:
    return (403, "AccessDenied") if method in {"GET", "HEAD"} and not is_object(path) else None


def deleting(method: str, path: str, _headers: Headers) -> tuple[int, str] | None:
    return (403, "AccessDenied") if method == "DELETE" or path.endswith("?delete") else None


def putting(method: str, path: str, _headers: Headers) -> tuple[int, str] | None:
    return (403, "AccessDenied") if method in {"PUT", "POST"} and is_object(path) else None


@pytest.mark.parametrize("refuse", [sums, bulk_without_md5])
async def test_a_store_that_knows_the_plain_old_requests_only(stack: Any, refuse: Any) -> None:
    async with behind(stack, refuse=refuse) as (_, store):
        assert await works(store) == []
        await store.delete_many(["originals/a", "originals/b"])
        with pytest.raises(ObjectMissing):
            await store.get("originals/a")


@pytest.mark.parametrize("habits", [{"refuse": conditions}, {"drop": "if-none-match"}], ids=["refused", "ignored"])
async def test_a_store_without_conditional_puts(stack: Any, habits: dict[str, Any]) -> None:
    async with behind(stack, **habits) as (_, store):
        [sentence] = await works(store)
        assert "Idempotency-Key holds for requests one after the other" in sentence


async def test_a_store_whose_buckets_may_not_be_listed(stack: Any) -> None:
    async with behind(stack, refuse=listing, hide=(403, "AccessDenied")) as (_, store):
        [sentence] = await works(store)
        assert sentence.endswith("Grant s3:ListBucket on the bucket")


async def test_a_store_that_hides_what_is_missing(stack: Any) -> None:
    async with behind(stack, hide=(403, "AccessDenied")) as (_, store):
        assert await works(store) == []


async def test_a_store_that_lets_nobody_delete(stack: Any) -> None:
    async with behind(stack, refuse=deleting) as (_, store):
        [sentence] = await works(store)
        assert sentence.endswith("Grant s3:DeleteObject on it")


async def test_an_object_that_is_there_and_denied_is_not_missing(stack: Any) -> None:
    async with behind(stack) as (gate, store):
        await store.put("originals/a", b"a")
        gate.refuse = lambda method, path, _: (403, "AccessDenied") if method == "GET" and path.endswith("/originals/a") else None
        with pytest.raises(StorageRefuses, match="Grant s3:GetObject on it"):
            await store.get("originals/a")


@pytest.mark.parametrize(
    ("refusal", "cure"),
    [
        ((403, "AccessDenied"), "Grant s3:PutObject on it"),
        ((403, "ExpiredToken"), "Renew the credentials"),
        ((403, "RequestTimeTooSkewed"), "Set the clock of this machine, or of the store"),
        ((301, "PermanentRedirect"), "Correct QUIRE_S3_REGION or QUIRE_S3_ENDPOINT"),
        ((404, "NoSuchBucket"), "correct QUIRE_S3_BUCKET"),
        ((418, "Teapot"), "Look at QUIRE_S3_…, and at the store"),
    ],
)
async def test_a_refusal_ends_with_its_cure_and_is_not_waited_for(stack: Any, refusal: tuple[int, str], cure: str) -> None:
    async with behind(stack, refuse=lambda *ask: refusal if putting(*ask) else None) as (gate, store):
        with pytest.raises(StorageRefuses, match="the object store refuses PutObject of probe: ") as caught:
            await probed(store, "originals/")
        assert str(caught.value).endswith(cure)
        assert isinstance(caught.value, CannotServe)
        assert len([seen for seen in gate.seen if seen.startswith("PUT")]) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        (503, "SlowDown"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (400, "RequestTimeout"),
        (409, "OperationAborted"),
    ],
)
async def test_a_busy_store_is_waited_for(stack: Any, refusal: tuple[int, str]) -> None:
    async with behind(stack, refuse=lambda *_: refusal) as (_, store):
        with pytest.raises(Exception, match=refusal[1]) as caught:
            await store.put("a", b"")
        assert is_away(caught.value)


async def test_where_nothing_is_found_that_could_take_a_put_it_is_a_refusal(stack: Any) -> None:
    async with behind(stack, refuse=lambda *_: (404, "NotFound")) as (_, store):
        with pytest.raises(StorageRefuses, match="NotFound"):
            await store.put("a", b"")


async def test_keys_that_are_wrong_are_named(stack: Any) -> None:
    async with ObjectStore(settings_of(stack, secret_key="wrong")) as store:
        with pytest.raises(StorageRefuses, match="Correct QUIRE_S3_ACCESS_KEY and QUIRE_S3_SECRET_KEY"):
            await store.ensure_bucket()


async def test_a_bucket_that_may_not_be_made(stack: Any) -> None:
    def making(method: str, path: str, _headers: Headers) -> tuple[int, str] | None:
        return (403, "AccessDenied") if method == "PUT" and not is_object(path) else None

    async with gated(stack, refuse=making) as gate, ObjectStore(settings_of(stack, endpoint=gate.endpoint)) as store:
        with pytest.raises(StorageRefuses, match="or make the bucket beforehand"):
            await store.ensure_bucket()


def lacking_at_start(log: str) -> list[str]:
    """The lines in which a service has warned of what its store lacks."""
    return [line for line in log.splitlines() if "the object store can or may do less than Quire wants" in line]


async def test_all_of_quire_works_on_the_poorest_of_them_and_each_service_says_what_it_lacks(stack: Stack) -> None:
    def poor(*ask: Any) -> tuple[int, str] | None:
        return sums(*ask) or bulk_without_md5(*ask) or conditions(*ask) or listing(*ask) or deleting(*ask)

    backing = await stack.fresh()
    async with ObjectStore(settings_of(stack, bucket=backing.bucket)) as plain:
        await plain.ensure_bucket()
    async with (
        gated(stack, refuse=poor, hide=(403, "AccessDenied")) as gate,
        serving(stack, backing=replace(backing, s3_endpoint=gate.endpoint)) as client,
    ):
        rights = ["Grant s3:ListBucket on the bucket", "Grant s3:DeleteObject on it"]
        keyed = "Idempotency-Key holds for requests one after the other"
        for service, wanted in {"processor-1": rights, "ingest": [*rights, keyed]}.items():
            lines = lacking_at_start(client.quire.log(service))
            assert [want in line for line, want in zip(lines, wanted, strict=True)] == [True] * len(wanted), lines
        files = [("a.pdf", simple_pdf("a")), ("b.pdf", simple_pdf("b"))]
        first, again = [await client.submit(files, key="the same") for _ in range(2)]
        assert (first.status_code, again.status_code) == (202, 202)
        [batch] = first.json()["batches"]
        assert again.json()["batches"] == [batch]
        assert (await client.ended(batch["batch_id"]))["processed"] == 2
        assert (await client.submit(files[:1], key="the same")).json()["code"] == "idempotency_conflict"
        gate.refuse = lambda *_: (403, "ExpiredToken")
        refused = await client.submit(files)
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
        assert "its operator" in refused.json()["detail"]
        assert "Renew the credentials" in client.quire.log("ingest")
