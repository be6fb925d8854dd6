"""The spans of a poll, and what of them goes on to those who push."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.collector import Collector, collecting

from quire_notifier.projecting.fold import fold
from quire_notifier.projecting.tables import Heads, notify
from quire_notifier.projecting.traces import projecting
from quire_notifier.pushing.pushes import Pushes
from quire_runtime import tracing
from quire_runtime.consumer import LogRecord
from quire_runtime.settings import TracesSettings
from quire_schemas.events import BatchCreated, BatchStarted, Event, EventData, FileSpec, event_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FILE = FileSpec(file_id=str(uuid4()), filename="a.pdf", size=1, sha256="0" * 64, object_key="originals/a.pdf")
CREATED = BatchCreated(collection_id="c", request_id=str(uuid4()), files=(FILE,))


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """Traces are on in the test, and here when it asks for them."""
    async with collecting() as one:
        yield one


def traceparent(trace: int, span: int, flags: str = "01") -> str:
    return f"00-{trace:032x}-{span:016x}-{flags}"


def said(data: EventData, batch_id: str, trace: str | None) -> Event:
    where: dict[str, Any] = {"batch_id": batch_id, "collection_id": "c", "source": "/test", "time": NOW}
    return event_of(data, id=str(uuid4()), traceparent=trace, **where)


def polled(*events: Event) -> list[LogRecord]:
    return [LogRecord(0, offset, 0, event, None, None, ()) for offset, event in enumerate(events)]


async def test_a_poll_has_one_span_for_each_batch_and_trace_that_is_recorded(collector: Collector):
    one, two, three, four = (str(uuid4()) for _ in range(4))
    started = BatchStarted(attempt=1, run_id=str(uuid4()), worker="w")
    records = polled(
        said(CREATED, one, traceparent(1, 11)),
        said(CREATED, two, traceparent(1, 12)),
        said(started, one, traceparent(1, 13)),
        said(started, two, traceparent(2, 21)),
        said(CREATED, three, traceparent(3, 31, "00")),
        said(CREATED, four, None),
    )
    async with tracing.exporting(TracesSettings(endpoint=collector.url), "test"):
        with projecting(records) as projected:
            onward = projected.onward(fold([(record.event, record.offset) for record in records if record.event], {}))
    seen = {(span.attributes["quire.batch.id"], int(span.trace, 16)): span for span in collector.spans}
    assert len(collector.spans) == len(seen)
    assert {where: (int(span.parent, 16), [int(link, 16) for link in span.links]) for where, span in seen.items()} == {
        (one, 1): (13, [11]),
        (two, 1): (12, []),
        (two, 2): (21, []),
    }
    assert sorted(onward) == ["c"]
    assert sorted(onward["c"]) == sorted(f"00-{span.trace}-{span.id}-01" for span in seen.values())


async def test_what_had_no_effect_is_not_pushed(collector: Collector):
    late = polled(said(BatchStarted(attempt=7, run_id=str(uuid4()), worker="w"), str(uuid4()), traceparent(1, 1)))
    async with tracing.exporting(TracesSettings(endpoint=collector.url), "test"):
        with projecting(late) as projected:
            assert projected.onward(fold([(record.event, record.offset) for record in late if record.event], {})) == {}
    assert [span.name for span in collector.spans] == ["project"]


async def test_a_poll_that_is_rolled_back_is_a_failed_span(collector: Collector):
    records = polled(said(CREATED, str(uuid4()), traceparent(1, 1)))
    async with tracing.exporting(TracesSettings(endpoint=collector.url), "test"):
        with pytest.raises(OSError, match="away"), projecting(records):
            raise OSError("away")
    assert [(span.failed, span.attributes["error.type"]) for span in collector.spans] == [(True, "OSError")]


async def test_a_push_ends_when_its_last_message_is_written(collector: Collector):
    async with tracing.exporting(TracesSettings(endpoint=collector.url), "test"):
        pushes = Pushes()
        pushes.begin("c", 5, [traceparent(1, 1)])
        pushes.begin("c", 7, [traceparent(2, 2)])
        pushes.written(5, 3)
        pushes.begin("c", 9, [traceparent(3, 3)])
        pushes.clear()
        pushes.written(9, 3)
    assert [(int(span.trace, 16), span.attributes) for span in collector.spans] == [
        (1, {"quire.collection.id": "c", "quire.feed.seq": 5, "quire.subscribers": 3})
    ]


class Connection:
    """Takes what it is told."""

    def __init__(self) -> None:
        self.payload = ""

    async def execute(self, _sql: str, _channel: str, payload: str) -> None:
        self.payload = payload


@pytest.mark.parametrize("count", [1, 1_000])
async def test_a_notification_says_where_something_is_new_however_many_traces_there_are(count: int):
    connection: Any = Connection()
    await notify(connection, Heads("e", {"c": 7}, {"c": [traceparent(1, 1)] * count}))
    heads = msgspec.json.decode(connection.payload, type=Heads)
    assert (heads.epoch, heads.last_seqs) == ("e", {"c": 7})
    assert heads.traces == ({"c": [traceparent(1, 1)]} if count == 1 else {})


async def test_a_notification_without_traces_is_what_it_was():
    connection: Any = Connection()
    await notify(connection, Heads("e", {"c": 7}))
    assert msgspec.json.decode(connection.payload) == {"epoch": "e", "last_seqs": {"c": 7}}
