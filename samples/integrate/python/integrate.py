"""Submits a PDF, follows it through the topic, and folds where its batches stand: `python integrate.py FILE`.

Needs aiokafka, httpx and quire-schemas. INGEST, NOTIFIER, KAFKA, TOPIC and GROUP say where; else it is the local stack.
"""

import asyncio
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer

from quire_schemas.batch import evolve
from quire_schemas.cloudevents import CodecError, UnknownType, decode
from quire_schemas.states import BatchState

INGEST = os.environ.get("INGEST", "http://127.0.0.1:8001")
NOTIFIER = os.environ.get("NOTIFIER", "http://127.0.0.1:8000")
KAFKA = os.environ.get("KAFKA", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "quire.batches")
GROUP = os.environ.get("GROUP", "integrate-python")


async def submit(http: httpx.AsyncClient, name: str, content: bytes) -> dict[str, Any]:
    """The answer of a 202. The same key each time: however often this is sent, there is one upload."""
    key = str(uuid.uuid4())
    files = {"files": (name, content, "application/pdf")}
    while True:
        answer = await http.post(f"{INGEST}/api/documents/process", files=files, headers={"Idempotency-Key": key})
        if answer.status_code != 503:
            break
        await asyncio.sleep(float(answer.headers.get("Retry-After", "5")))
    if answer.status_code != 202:
        sys.exit(f"{answer.status_code} {answer.json()['code']}: {answer.json()['detail']}")
    accepted: dict[str, Any] = answer.json()
    return accepted


async def consume(wanted: set[str]) -> None:
    """Reads the topic until the batches have ended."""
    states: dict[str, BatchState] = {}
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=KAFKA, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer:
        async for record in consumer:
            try:
                event = decode(record.key, record.value, record.headers)
            except UnknownType:
                continue  # of a newer Quire
            except CodecError as error:
                print("none of ours:", error, file=sys.stderr)
                continue
            before = states.get(event.batch_id)
            state = evolve(before, event, record.offset)
            if state is None or state == before:
                continue  # it came twice, or has had no effect
            states[event.batch_id] = state
            if event.batch_id in wanted:
                print(event.type, event.batch_id, flush=True)
                if all(batch_id in states and states[batch_id].terminal for batch_id in wanted):
                    break
        await consumer.commit()
    for batch_id in wanted:
        print("folded", states[batch_id].status, batch_id)


async def ended(http: httpx.AsyncClient, request_id: str) -> str:
    """Asks until the notifier, which reads the same topic, knows of the end, too."""
    while True:
        answer = await http.get(f"{NOTIFIER}/api/requests/{request_id}")
        if answer.status_code == 200 and answer.json()["ended_at"] is not None:
            return str(answer.json()["status"])
        await asyncio.sleep(0.2)


async def main(name: str, content: bytes) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        accepted = await submit(http, name, content)
        print("submitted", accepted["request_id"], flush=True)
        await consume({batch["batch_id"] for batch in accepted["batches"]})
        print("asked", await ended(http, accepted["request_id"]), accepted["request_id"])


if __name__ == "__main__":
    file = Path(sys.argv[1])
    asyncio.run(main(file.name, file.read_bytes()))
