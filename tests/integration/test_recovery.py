"""Processes killed, frozen and cut off in the middle of a batch: it finishes all the same, and nothing is done twice."""

from __future__ import annotations

import asyncio
import signal

import pytest
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.samples_pdf import simple_pdf, slow_pdf

BRISK = {"QUIRE_HEARTBEAT_SECONDS": "1"}
UNNOTICED = {"QUIRE_KAFKA_SESSION_TIMEOUT_SECONDS": "300"}
"""Kafka by itself notices no death for five minutes, so it must have been told."""


def batch_of(count: int, pages: int = 100) -> list[tuple[str, bytes]]:
    return [(f"{number}.pdf", slow_pdf(f"{number}", pages)) for number in range(count)]


async def nothing_was_repeated(client: Client) -> None:
    states, processed = await client.folded()
    assert all(state.terminal for state in states.values())
    assert not [file for file, times in processed.items() if times > 1]
    rows = await client.rows("SELECT batch_id::text, status, processed, failed, cancelled, attempt FROM notifier.batch")
    assert {row["batch_id"]: (row["status"], row["processed"], row["attempt"]) for row in rows} == {
        key: (state.status, state.count("processed"), state.attempt) for key, state in states.items()
    }


@pytest.mark.parametrize("machine_too", [False, pytest.param(True, marks=pytest.mark.long)], ids=["told", "unsaid"])
async def test_a_second_processor_finishes_what_a_killed_one_began(stack: Stack, *, machine_too: bool) -> None:
    async with serving(stack, processors=2, settings=BRISK if machine_too else BRISK | UNNOTICED) as client:
        [batch_id] = await client.accepted(batch_of(20))
        batch = await client.until(batch_id, lambda batch: batch["processed"] >= 3)
        await (client.quire.lose if machine_too else client.quire.kill)(batch["worker"])
        ended = await client.ended(batch_id)
        assert (ended["status"], ended["processed"], ended["attempt"]) == ("completed", 20, 2)
        assert ended["worker"] != batch["worker"]
        await nothing_was_repeated(client)


async def test_a_processor_told_to_stop_hands_its_batch_over_at_once(stack: Stack) -> None:
    async with serving(stack, processors=2, settings=BRISK) as client:
        [batch_id] = await client.accepted(batch_of(16))
        batch = await client.until(batch_id, lambda batch: batch["processed"] >= 2)
        await client.quire.stop(batch["worker"])
        ended = await client.ended(batch_id)
        assert (ended["status"], ended["attempt"]) == ("completed", 2)
        messages = await client.feed("default")
        assert [message["stage"] for message in messages if message.get("stage") == "released"] == ["released"]
        await nothing_was_repeated(client)


@pytest.mark.long
async def test_what_a_processor_writes_that_was_believed_dead_has_no_effect(stack: Stack) -> None:
    async with serving(stack, processors=2, settings=BRISK) as client:
        [batch_id] = await client.accepted(batch_of(16))
        batch = await client.until(batch_id, lambda batch: batch["processed"] >= 2)
        zombie = batch["worker"]
        client.quire.freeze(zombie)
        taken = await client.until(batch_id, lambda batch: batch["worker"] != zombie)
        client.quire.thaw(zombie)
        ended = await client.ended(batch_id)
        assert (taken["attempt"], ended["status"], ended["processed"]) == (2, "completed", 16)
        [again] = await client.accepted([("after.pdf", simple_pdf())])
        assert (await client.ended(again))["status"] == "completed"
        await asyncio.sleep(1)
        await nothing_was_repeated(client)
        rows = await client.rows(
            "SELECT count(*) AS n, min(attempt) AS low FROM processor.document WHERE batch_id = $1", batch_id
        )
        assert rows[0]["n"] == 16


@pytest.mark.long
async def test_while_kafka_is_away_nothing_is_promised_and_nothing_is_lost(stack: Stack) -> None:
    async with serving(stack, settings=BRISK | {"QUIRE_KAFKA_PUBLISH_TIMEOUT_SECONDS": "2"}) as client:
        [before] = await client.accepted(batch_of(12))
        await client.until(before, lambda batch: batch["processed"] >= 1)
        await stack.kafka.stop()
        try:
            refused = await client.submit([("a.pdf", simple_pdf())], key="again")
            ready = await client.http.get(f"{client.quire.ops_url('ingest')}/readyz")
        finally:
            await stack.kafka.restart()
        assert (refused.status_code, ready.status_code) == (503, 503)
        assert int(refused.headers["retry-after"]) > 0
        assert (await client.ended(before))["status"] == "completed"
        async with asyncio.timeout(60):
            while (answer := await client.submit([("a.pdf", simple_pdf())], key="again")).status_code == 503:
                await asyncio.sleep(0.5)
        assert answer.status_code == 202
        for batch in answer.json()["batches"]:
            assert (await client.ended(batch["batch_id"]))["status"] == "completed"
        await nothing_was_repeated(client)


@pytest.mark.long
async def test_while_postgres_and_s3_are_away_work_waits_and_goes_on(stack: Stack) -> None:
    async with serving(stack, settings=BRISK) as client:
        for outage in (stack.postgres, stack.s3):
            [batch_id] = await client.accepted(batch_of(10))
            await client.until(batch_id, lambda batch: batch["processed"] >= 1)
            await outage.stop()
            await asyncio.sleep(2)
            await outage.restart()
            ended = await client.ended(batch_id)
            assert (ended["status"], ended["attempt"]) == ("completed", 1)
        await nothing_was_repeated(client)


async def test_a_killed_notifier_goes_on_where_it_was(stack: Stack) -> None:
    async with serving(stack, settings=BRISK | UNNOTICED) as client:
        [batch_id] = await client.accepted(batch_of(8))
        await client.until(batch_id, lambda batch: batch["processed"] >= 1)
        await client.quire.kill("notifier", signal.SIGKILL)
        await client.quire.start("notifier")
        assert (await client.ended(batch_id))["status"] == "completed"
        messages = await client.feed("default")
        assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
        assert sum(message["type"] == "FILES_PROCESSED" for message in messages) == 8
        await nothing_was_repeated(client)
