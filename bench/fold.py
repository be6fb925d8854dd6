"""`python bench/fold.py`: events per second of one core through the codec and the fold, for a batch of 25 files."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from quire_schemas.batch import evolve
from quire_schemas.cloudevents import decode, encode
from quire_schemas.events import (
    BatchCompleted,
    BatchCreated,
    BatchProgressed,
    BatchStarted,
    Event,
    EventData,
    FileProcessed,
    FileSpec,
    InFlight,
    event_of,
)
from quire_schemas.states import BatchState

FILES = 25
SECONDS = 1.0


def batch() -> list[Event]:
    """The life of a batch: a sign of life between any two files."""
    batch_id, run, files = str(uuid4()), str(uuid4()), [str(uuid4()) for _ in range(FILES)]
    specs = tuple(FileSpec(file_id=f, filename=f"{f}.pdf", size=1, sha256="0" * 64, object_key=f"originals/{f}") for f in files)
    said: list[EventData] = [
        BatchCreated(collection_id="bench", request_id=str(uuid4()), files=specs),
        BatchStarted(attempt=1, run_id=run, worker="bench"),
    ]
    for number, file in enumerate(files):
        in_flight = tuple(InFlight(file_id=f, stage="extracting", page=1, pages=2) for f in files[number : number + 4])
        said.append(BatchProgressed(run_id=run, stage="heartbeat", in_flight=in_flight))
        said.append(FileProcessed(run_id=run, file_id=file, page_count=1, text_key=f"artefacts/{run}/{number}.json"))
    said.append(BatchCompleted(run_id=run))
    now = datetime.now(UTC)
    return [event_of(data, id=str(uuid4()), batch_id=batch_id, collection_id="bench", source="/bench", time=now) for data in said]


def fold(events: list[Event]) -> None:
    state: BatchState | None = None
    for offset, event in enumerate(events):
        state = evolve(state, event, offset)
    if state is None or state.status != "completed":
        raise SystemExit("the batch did not complete: the story of this bench is wrong")


def measure(name: str, work: Callable[[], object], events: int) -> None:
    rounds, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        work()
        rounds += 1
    print(f"{name:<7}{rounds * events / (time.perf_counter() - start):>10,.0f} events/s")


if __name__ == "__main__":
    story = batch()
    records = [encode(event) for event in story]
    measure("encode", lambda: [encode(event) for event in story], len(story))
    measure("decode", lambda: [decode(*record) for record in records], len(story))
    measure("fold", lambda: fold(story), len(story))
