"""Spans as services make them, and as a collector gets them; and that there is nothing of it while traces are off."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from prometheus_client import REGISTRY
from tests.collector import Collector, collecting

from quire_local.ports import free_ports
from quire_runtime import logs, tracing, tracing_export
from quire_runtime.environment import SettingsError, load
from quire_runtime.settings import LogSettings, TracesSettings

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as one:
        yield one


@pytest.fixture
def untouched_logs() -> Iterator[None]:
    """Logging is the process': as it was, afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def sent_to(collector: Collector, ratio: float = 1.0) -> TracesSettings:
    return TracesSettings(endpoint=collector.url, ratio=ratio)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_while_traces_are_off_nothing_of_opentelemetry_is_loaded():
    code = """
import asyncio, sys
import quire_ingest.main, quire_processor.main, quire_notifier.main
from quire_runtime import tracing
from quire_runtime.settings import TracesSettings
async def main():
    async with tracing.exporting(TracesSettings(), "test"):
        with tracing.span("work") as span:
            print(span is tracing.OFF, any(name.startswith("opentelemetry") for name in sys.modules))
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"]


async def test_while_traces_are_off_a_traceparent_is_carried_as_it_came():
    async with tracing.exporting(TracesSettings(), "test"):
        tracing.bind(SAMPLED)
        with tracing.span("work", {"quire.batch.id": "b"}, kind="client") as span:
            span.set({"quire.run.id": "r"})
            span.fail("corrupt")
            assert (tracing.current(), span.traceparent) == (SAMPLED, None)
    tracing.bind(None)


async def test_spans_are_children_of_what_is_around_them_or_of_what_is_named(collector: Collector):
    async with tracing.exporting(sent_to(collector), "test"):
        with tracing.span("request", kind="server", parent=SAMPLED) as request:
            with tracing.span("inner", {"quire.run.attempt": 2}):
                assert tracing.current() != request.traceparent
            assert tracing.current() == request.traceparent
        assert tracing.current() is None
        with tracing.span("later", parent=request, links=[SAMPLED]):
            pass
    seen = {span.name: span for span in collector.spans}
    assert {span.service for span in seen.values()} == {"quire-test"}
    assert {span.trace for span in seen.values()} == {TRACE}
    assert (seen["request"].parent, seen["request"].kind) == (PARENT, "server")
    assert seen["inner"].parent == seen["later"].parent == seen["request"].id
    assert seen["inner"].attributes == {"quire.run.attempt": 2}
    assert seen["later"].links == (PARENT,)
    assert request.traceparent == f"00-{TRACE}-{seen['request'].id}-01"


@pytest.mark.parametrize("parent", ["", "nonsense", UNSAMPLED.upper()])
async def test_a_header_that_is_no_traceparent_begins_a_trace_whatever_is_around(collector: Collector, parent: str):
    async with tracing.exporting(sent_to(collector), "test"):
        with tracing.span("around"), tracing.span("request", parent=parent):
            pass
    seen = {span.name: span for span in collector.spans}
    assert seen["request"].parent == ""
    assert seen["request"].trace != seen["around"].trace


async def test_a_trace_that_its_caller_does_not_record_goes_on_unrecorded(collector: Collector):
    async with tracing.exporting(sent_to(collector), "test"):
        with tracing.span("request", parent=UNSAMPLED), tracing.span("inner") as inner:
            assert inner.traceparent is not None
            assert inner.traceparent.startswith(f"00-{TRACE}-")
            assert inner.traceparent != UNSAMPLED
            assert not tracing.sampled(inner.traceparent)
    assert collector.spans == []


async def test_the_ratio_is_for_traces_that_begin_here(collector: Collector):
    async with tracing.exporting(sent_to(collector, ratio=0.0), "test"):
        with tracing.span("a new one", parent=""), tracing.span("inside"):
            pass
        with tracing.span("a recorded one", parent=SAMPLED):
            pass
    assert [span.name for span in collector.spans] == ["a recorded one"]


async def test_a_span_says_what_its_block_raised_and_a_cancellation_is_no_failure(collector: Collector):
    async def cancelled() -> None:
        with tracing.span("cancelled"):
            await asyncio.Event().wait()

    async with tracing.exporting(sent_to(collector), "test"):
        with pytest.raises(OSError, match="away"), tracing.span("broken"):
            raise OSError("away")
        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    shown = {span.name: (span.failed, span.attributes) for span in collector.spans}
    assert shown == {"broken": (True, {"error.type": "OSError"}), "cancelled": (False, {})}


async def test_logs_name_the_span_that_they_are_of(
    collector: Collector, capsys: pytest.CaptureFixture[str], untouched_logs: None
):
    logs.setup(LogSettings(format="json"), "test")
    async with tracing.exporting(sent_to(collector), "test"):
        with tracing.span("work"):
            logs.get_logger("quire.test").info("one")
        logs.get_logger("quire.test").info("two")
    one, two = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"quire.test"' in line]
    (work,) = collector.spans
    assert one["traceparent"][3:52] == f"{work.trace}-{work.id}"
    assert "traceparent" not in two


async def test_a_collector_that_is_away_is_said_once_and_what_is_lost_is_counted(
    capsys: pytest.CaptureFixture[str], untouched_logs: None, collector: Collector
):
    logs.setup(LogSettings(format="json"), "test")
    lost, taken = counted("quire_traces_dropped_total", reason="refused"), counted("quire_traces_spans_total")

    def refused() -> float:
        return counted("quire_traces_dropped_total", reason="refused") - lost

    collector.status = 400
    async with tracing.exporting(sent_to(collector), "test"):
        for number in range(3):
            with tracing.span("lost"):
                pass
            async with asyncio.timeout(20):
                while refused() <= number:
                    await asyncio.sleep(0.02)
        collector.status = 200
        with tracing.span("taken"):
            pass
        await collector.until(lambda spans: len(spans) == 1)
    assert (refused(), counted("quire_traces_spans_total") - taken) == (3, 1)
    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert said == ["traces are sent", "spans are dropped: the collector is away, or refuses them", "spans are taken again"]


async def test_nobody_waits_for_a_collector_and_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tracing_export, "QUEUE", 10)
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    lost = counted("quire_traces_dropped_total", reason="full")
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}/v1/traces"
    async with tracing.exporting(TracesSettings(endpoint=nowhere), "test"):
        for _ in range(100):
            with tracing.span("work"):
                pass
    in_hand = 10  # what the sender has taken out of the queue
    assert 100 - 10 - in_hand <= counted("quire_traces_dropped_total", reason="full") - lost <= 90


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:4318", "http://127.0.0.1:4318", "http://127.0.0.1:4318/", "grpc://a/b", "http://"]
)
def test_an_endpoint_is_a_url_with_a_path(endpoint: str):
    with pytest.raises(SettingsError) as refusal:
        load(TracesSettings, {"QUIRE_ENDPOINT": endpoint})
    assert refusal.value.problems == [
        f"QUIRE_TRACES_ENDPOINT: {endpoint!r} is no URL with a path. Set it to something like http://127.0.0.1:4318/v1/traces"
    ]


def test_an_endpoint_without_the_exporter_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)  # as where it is not installed
    assert load(TracesSettings, {}) == TracesSettings()
    with pytest.raises(SettingsError, match="not installed") as refusal:
        load(TracesSettings, {"QUIRE_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    assert "pip install 'quire-runtime[otel]'" in refusal.value.problems[0]
