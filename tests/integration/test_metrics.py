"""Metrics of running services: what alerts and panels ask for is there, counts are true, and every gauge is right at rest."""

from __future__ import annotations

import math
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from prometheus_client import REGISTRY
from tests.deploy.monitoring import OF_EVERY_SCRAPE, alerts, panels, selectors
from tests.integration.client import Client, serving
from tests.integration.scraping import Sample, busy_worker, scraped, total, until
from tests.integration.stack import Stack
from tests.samples_pdf import corrupt_pdf, encrypted_pdf, simple_pdf, slow_page_pdf, slow_pdf
from websockets.asyncio.client import connect

from quire_notifier.projecting.epochs import SCHEMA
from quire_notifier.projecting.unfinished import GOOD_SECONDS, Unfinished
from quire_runtime.postgres import connect_pool
from quire_runtime.settings import PostgresSettings

AT_REST: dict[str, Callable[[float], bool]] = {
    "quire_build_info": lambda value: value == 1,
    "quire_log_assigned_partitions": lambda value: value > 0,
    "quire_scratch_free_bytes": lambda value: value > 0,
    "quire_scratch_size_bytes": lambda value: value > 0,
    "quire_processor_workers_limit": lambda value: value > 0,
    "quire_processor_sandbox": lambda value: value in (0, 1),
}
"""Of a stack with nothing to do. Every other gauge is 0."""
FROM_KAFKA = ("quire_log_lag_records", "quire_log_assigned_partitions")
HEALTHY = [(f"{number}.pdf", simple_pdf(f"{number}")) for number in range(26)]


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    """Of two processors, after a bit of everything."""
    async with serving(stack, processors=2, settings={"QUIRE_CPU_LIMIT_S": "0.7"}) as one:
        async with (
            connect(one.quire.notifier_url.replace("http", "ws", 1) + "/ws?collection_id=default"),
            one.http.stream("GET", f"{one.quire.notifier_url}/api/collections/default/events"),
        ):
            await work(one)
        yield one


async def work(client: Client) -> None:
    whole, rest = await client.accepted(HEALTHY)
    [mixed] = await client.accepted([("good.pdf", simple_pdf()), ("bad.pdf", corrupt_pdf())])
    [strict] = await client.accepted([("locked.pdf", encrypted_pdf()), ("good.pdf", simple_pdf())], policy="all_or_nothing")
    refused = await client.submit([("a.txt", b"no pdf")])
    assert refused.status_code == 422
    [slow] = await client.accepted([("slow.pdf", slow_pdf("slow", 2_000))])
    await client.until(slow, lambda batch: batch["status"] == "processing")
    assert (await client.command(slow, "cancel")).status_code == 202
    ended = [(await client.ended(batch_id))["status"] for batch_id in (whole, rest, mixed, strict, slow)]
    assert ended == ["completed", "completed", "completed_with_errors", "failed", "cancelled"]
    assert (await client.command(mixed, "retry")).status_code == 202
    await client.until(mixed, lambda batch: batch["generation"] == 1 and batch["ended_at"] is not None)


async def test_every_gauge_is_right_once_all_is_done(client: Client) -> None:
    samples = await until(client, lambda found: [one for one in found if one.kind == "gauge" and not right(one)])
    assert {one.name for one in samples} >= AT_REST.keys()
    for group in ("quire-notifier", "quire-processor"):
        assert total(samples, "quire_log_assigned_partitions", group=group + client.quire.backing.group_suffix) == 24


def right(gauge: Sample) -> bool:
    """Idle workers may be any number; what is not Quire's own is not ours to judge."""
    if not gauge.name.startswith("quire_") or gauge.labels.get("state") == "idle":
        return True
    return AT_REST.get(gauge.name, lambda value: value == 0)(gauge.value)


async def test_what_happened_is_counted_once_however_many_watch(client: Client) -> None:
    samples = await scraped(client)
    assert total(samples, "quire_ingest_files_total", code="accepted") == 31
    assert total(samples, "quire_ingest_files_total", code="not_a_pdf") == 1
    assert total(samples, "quire_ingest_problems_total", operation="upload", code="all_rejected") == 1
    assert total(samples, "quire_notifier_batches_total", policy="isolate", status="completed") == 2
    assert total(samples, "quire_notifier_batches_total", policy="isolate", status="completed_with_errors") == 2
    assert total(samples, "quire_notifier_batches_total", policy="isolate", status="cancelled") == 1
    assert total(samples, "quire_notifier_batches_total", policy="all_or_nothing", status="failed") == 1
    assert total(samples, "quire_notifier_batch_seconds_count", policy="all_or_nothing", status="failed") == 1
    assert total(samples, "quire_notifier_batch_failures_total", code="file_failed") == 1
    assert total(samples, "quire_notifier_files_total", code="corrupt") == 2
    assert total(samples, "quire_notifier_files_total", code="encrypted") == 1
    assert total(samples, "quire_notifier_batch_wait_seconds_count") == 5
    assert total(samples, "quire_notifier_batch_attempts_bucket", le="1.0") == 5
    assert total(samples, "quire_notifier_batch_attempts_count") == 6
    assert total(samples, "quire_notifier_push_seconds_count") > 0
    events = total(samples, "quire_notifier_events_total")
    assert 0 < total(samples, "quire_log_published_total") <= events  # a run that ends does not hear of its last ones
    assert total(samples, "quire_log_consumed_total") >= 2 * events


async def test_every_series_that_alerts_and_panels_ask_for_exists(client: Client) -> None:
    series: dict[str, set[str]] = {}
    for one in await scraped(client):
        series.setdefault(one.name, set()).update(one.labels)
    queries = [alert.expr for alert in alerts()] + [query for panel in panels() for query in panel.queries]
    for selector in (selector for query in queries for selector in selectors(query) if selector.metric != "up"):
        assert selector.metric in series, f"nobody has {selector.metric}"
        assert selector.values.keys() <= series[selector.metric] | OF_EVERY_SCRAPE, selector


async def test_a_lag_that_nobody_can_know_is_no_number(stack: Stack, client: Client) -> None:
    await stack.kafka.stop()
    try:
        await until(client, lambda found: [one for one in found if one.name in FROM_KAFKA and one.value > 0])
        samples = await scraped(client)
    finally:
        await stack.kafka.restart()
    assert all(math.isnan(one.value) for one in samples if one.name == "quire_log_lag_records")
    await until(client, lambda found: [one for one in found if one.kind == "gauge" and not right(one)])


async def test_a_batch_counts_as_unfinished_since_it_was_retried(client: Client) -> None:
    [batch_id] = await client.accepted([("a.pdf", simple_pdf())])
    await client.ended(batch_id)
    await client.rows(
        "UPDATE notifier.batch SET status = 'queued', generation = 1, processed = 0, started_at = NULL, "
        "created_at = now() - interval '1 year' WHERE batch_id = $1",
        batch_id,
    )
    await client.rows(
        "UPDATE notifier.file_metadata SET processing_status = 'queued', updated_at = now() - interval '1 day' "
        "WHERE batch_id = $1",
        batch_id,
    )
    pool = await connect_pool(PostgresSettings(dsn=client.quire.backing.postgres), SCHEMA)
    unfinished = Unfinished(pool)
    await unfinished.look()
    await pool.close()
    await client.rows("DELETE FROM notifier.batch WHERE batch_id = $1", batch_id)
    assert gauge("quire_notifier_unfinished_batches", status="queued") == 1
    assert gauge("quire_notifier_unfinished_files", status="queued") == 1
    assert gauge("quire_notifier_unfinished_files", status="processing") == 0
    assert 24 * 3600 <= gauge("quire_notifier_oldest_unfinished_age_seconds", status="queued") < 48 * 3600
    unfinished._seen_at -= 2 * GOOD_SECONDS
    assert math.isnan(gauge("quire_notifier_oldest_unfinished_age_seconds", status="queued"))


def gauge(name: str, **labels: str) -> float:
    """In this process."""
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None
    return value


async def test_a_worker_that_is_killed_is_counted_and_logged_with_its_file_and_batch(client: Client) -> None:
    before = await scraped(client)
    [late] = await client.accepted([("late.pdf", slow_page_pdf())])
    file = (await client.ended(late))["files"][0]
    assert file["error_code"] == "timeout"
    assert_logged(client, "worker killed for time", late, file["file_id"])
    [crashed] = await client.accepted([("crash.pdf", slow_page_pdf())])
    file = (await client.until(crashed, lambda batch: batch["status"] == "processing"))["files"][0]
    (await busy_worker(client)).send_signal(signal.SIGKILL)
    await client.ended(crashed)
    assert_logged(client, "worker died", crashed, file["file_id"])
    after = await scraped(client)
    for reason in ("timeout", "died"):
        kills = [total(samples, "quire_processor_worker_kills_total", reason=reason) for samples in (before, after)]
        assert kills[0] < kills[1], reason


def assert_logged(client: Client, sentence: str, batch_id: str, file_id: str) -> None:
    lines = [line for name in ("processor-1", "processor-2") for line in client.quire.log(name).splitlines() if sentence in line]
    assert any(batch_id in line and file_id in line for line in lines), lines
