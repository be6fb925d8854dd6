"""Traces of the real services, as a collector gets them."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest
from tests.collector import Collector, Seen, collecting
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.samples_pdf import corrupt_pdf, simple_pdf

from quire_client import subscribe
from quire_local.ports import free_ports
from quire_schemas.messages import FeedMessage

FILES = [("good.pdf", simple_pdf("good")), ("also good.pdf", simple_pdf("also good")), ("bad.pdf", corrupt_pdf())]
UPLOAD = "POST /api/documents/process"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as one:
        yield one


@pytest.fixture(scope="module")
async def client(stack: Stack, collector: Collector) -> AsyncIterator[Client]:
    """Records what its caller has decided to record, and begins no trace by itself."""
    settings = {"QUIRE_TRACES_ENDPOINT": collector.url, "QUIRE_TRACES_RATIO": "0", **SOON}
    async with serving(stack, settings=settings) as one:
        yield one


def caller(*, sampled: bool) -> tuple[str, str, str]:
    """A trace id, a span id, and the header that says both."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-{'01' if sampled else '00'}"


async def uploaded(client: Client, collection_id: str, traceparent: str) -> str:
    """Three files, their batch's id."""
    parts = [("files", (name, content, "application/pdf")) for name, content in FILES]
    url = f"{client.quire.ingest_url}/api/documents/process"
    headers = {"traceparent": traceparent}
    answer = await client.http.post(url, params={"collection_id": collection_id}, files=parts, headers=headers)
    assert answer.status_code == 202, answer.text
    batch_id: str = answer.json()["batches"][0]["batch_id"]
    return batch_id


@asynccontextmanager
async def followed(client: Client, collection_id: str) -> AsyncIterator[asyncio.Task[None]]:
    """A subscriber who is live when the block begins; the task ends with the batch."""
    live = asyncio.Event()

    async def follow() -> None:
        async with aclosing(subscribe(client.quire.notifier_url, collection_id)) as feed:
            async for message in feed:
                live.set()
                if isinstance(message, FeedMessage) and type(message).__struct_config__.tag == "BATCH_PROCESSING_COMPLETED":
                    return

    task = asyncio.create_task(follow())
    try:
        await asyncio.wait_for(live.wait(), 20)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def of(spans: Sequence[Seen], trace: str) -> list[Seen]:
    return [span for span in spans if span.trace == trace]


def way_to(span: Seen, spans: Sequence[Seen]) -> list[str]:
    """The names from the root down to this span; `send` with the type of its event."""
    by_id = {one.id: one for one in spans}
    names = []
    at: Seen | None = span
    while at is not None:
        kind = at.attributes.get("cloudevents.event_type")
        names.append(f"send {kind}" if kind else at.name)
        at = by_id.get(at.parent)
    return names[::-1]


FINISHED = [UPLOAD, "send quire.batch.created.v1", "run", "send quire.batch.completed.v1", "project", "push"]


def pushed_the_end(trace: str) -> Callable[[Sequence[Seen]], bool]:
    """Whether the last thing that a trace of a whole batch shows is there, and the run, which ends only after it is folded."""

    def there(spans: Sequence[Seen]) -> bool:
        mine = of(spans, trace)
        ways = [way_to(span, mine) for span in mine]
        return FINISHED in ways and FINISHED[:3] in ways

    return there


async def test_one_trace_reads_from_the_upload_to_the_push(client: Client, collector: Collector) -> None:
    trace, root, traceparent = caller(sampled=True)
    async with followed(client, "traced") as ended:
        batch_id = await uploaded(client, "traced", traceparent)
        await asyncio.wait_for(ended, 60)
    spans = of(await collector.until(pushed_the_end(trace)), trace)

    ids = {span.id for span in spans}
    assert [(span.name, span.parent) for span in spans if span.parent not in ids] == [(UPLOAD, root)]
    ways = Counter(tuple(way_to(span, spans)) for span in spans)
    sent, run = (UPLOAD, "send quire.batch.created.v1"), (UPLOAD, "send quire.batch.created.v1", "run")
    assert ways[UPLOAD, "S3/PutObject"] == 3
    assert ways[*sent, "project", "push"] == 1
    assert ways[*run, "send quire.batch.started.v1"] == 1
    assert ways[*run, "file"] == ways[*run, "file", "fetch"] == ways[*run, "file", "extract"] == 3
    assert ways[*run, "file", "insert"] == ways[*run, "file", "upload"] == 2
    assert ways[*run, "file", "send quire.file.processed.v1"] == 2
    assert ways[*run, "file", "send quire.file.failed.v1"] == 1
    assert {span.service for span in spans} == {"quire-ingest", "quire-processor", "quire-notifier"}

    for span in spans:
        assert span.attributes.get("quire.batch.id", batch_id) == batch_id
        assert span.ended >= span.began
    request = next(span for span in spans if span.name == UPLOAD)
    assert (request.kind, request.attributes["http.response.status_code"], request.failed) == ("server", 202, False)
    bad = [span.attributes["error.type"] for span in spans if span.name == "file" and span.failed]
    assert bad == ["corrupt"]
    assert not any("bad.pdf" in str(span.attributes) for span in spans)


async def test_an_event_that_was_projected_with_others_is_linked_or_a_parent(client: Client, collector: Collector) -> None:
    trace, _, traceparent = caller(sampled=True)
    async with followed(client, "linked") as ended:
        await uploaded(client, "linked", traceparent)
        await asyncio.wait_for(ended, 60)
    spans = of(await collector.until(pushed_the_end(trace)), trace)
    projected = [name for span in spans if span.name == "project" for name in (span.parent, *span.links)]
    assert sorted(projected) == sorted(span.id for span in spans if span.name.startswith("send "))


async def test_a_command_is_traced_through_the_notifier_that_it_asks(client: Client, collector: Collector) -> None:
    batch_id = await uploaded(client, "commanded", caller(sampled=False)[2])
    await client.ended(batch_id)
    trace, _, traceparent = caller(sampled=True)
    url = f"{client.quire.ingest_url}/api/batches/{batch_id}/cancel"
    answer = await client.http.post(url, headers={"traceparent": traceparent})
    assert answer.status_code == 409
    command, asked = "POST /api/batches/{batch_id}/cancel", "GET /api/batches/{batch_id}/state"
    spans = of(await collector.until(lambda spans: len(of(spans, trace)) >= 3), trace)
    shown = {(*way_to(span, spans), span.kind, span.attributes["http.response.status_code"], span.failed) for span in spans}
    assert shown == {
        (command, "server", 409, False),
        (command, "GET", "client", 200, False),
        (command, "GET", asked, "server", 200, False),
    }


async def test_what_the_caller_does_not_record_is_carried_and_not_sent(client: Client, collector: Collector) -> None:
    trace, _, traceparent = caller(sampled=False)
    async with followed(client, "unsampled") as ended:
        await uploaded(client, "unsampled", traceparent)
        await asyncio.wait_for(ended, 60)
        await uploaded(client, "unsampled", "")
    later, _, traceparent = caller(sampled=True)
    async with followed(client, "sampled") as ended:
        await uploaded(client, "sampled", traceparent)
        await asyncio.wait_for(ended, 60)
    spans = await collector.until(pushed_the_end(later))
    assert of(spans, trace) == []
    assert not any(span.attributes.get("quire.collection.id") == "unsampled" for span in spans)
    carried = [event.traceparent or "" for _, _, event in await client.log() if trace in (event.traceparent or "")]
    assert len(carried) > 5
    assert all(header.endswith("-00") for header in carried)


@pytest.mark.long
async def test_without_a_collector_everything_works_and_what_is_dropped_is_counted(stack: Stack) -> None:
    settings = {"QUIRE_TRACES_ENDPOINT": f"http://127.0.0.1:{free_ports(1)[0]}/v1/traces", **SOON}
    async with serving(stack, settings=settings) as client:
        async with followed(client, "alone") as ended:
            batch_id = await uploaded(client, "alone", "")
            await asyncio.wait_for(ended, 60)
        batch = await client.ended(batch_id)
        assert (batch["status"], batch["processed"], batch["failed"]) == ("completed_with_errors", 2, 1)
        for name in ("ingest", "processor-1", "notifier"):
            assert await dropped(client, name) > 0
            await client.quire.stop(name)
            assert client.quire.log(name).count("spans are dropped") == 1


async def dropped(client: Client, name: str) -> float:
    """The counter, once it counts: a span is given up ten seconds after it was first sent."""
    async with asyncio.timeout(40):
        while True:
            metrics = (await client.http.get(f"{client.quire.ops_url(name)}/metrics")).text
            lines = [line for line in metrics.splitlines() if line.startswith('quire_traces_dropped_total{reason="refused"}')]
            if lines and (count := float(lines[0].split()[-1])):
                return count
            await asyncio.sleep(0.2)
