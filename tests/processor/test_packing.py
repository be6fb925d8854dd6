"""What waits is kept small."""

import gc
import os
import tracemalloc
from uuid import uuid4

from msgspec import structs
from tests.schemas.story import COLLECTION, at, cancel, created, given, processed, retry, started

from quire_processor.ownership import Ownership
from quire_processor.packing import pack_event, pack_state, unpack_event, unpack_state
from quire_processor.schedule import Schedule
from quire_processor.shares import Shares
from quire_runtime.clock import SystemClock
from quire_schemas.cloudevents import decode, encode
from quire_schemas.events import BatchCreated, Event, FileSpec

BATCHES, FILES = 400, 25
MOST_BYTES = 300_000_000 * FILES // 1_000_000
"""Of a batch that waits: a million files have 300 MB."""


def test_what_is_packed_comes_back_equal() -> None:
    state = given(created("abcdef"), started(), processed("a")).state
    assert state is not None
    assert unpack_state(pack_state(state)) == state
    for event in (created("abcdef"), retry(a="failed"), cancel()):
        assert unpack_event(pack_event(event)) == event


def a_batch() -> Event:
    request, batch = str(uuid4()), str(uuid4())
    files = tuple(
        FileSpec(
            file_id=str(uuid4()),
            filename=f"Quarterly report {request[:4]} {number}.pdf",
            size=1_234_567,
            sha256=os.urandom(32).hex(),
            object_key=f"originals/{request}/{number}.pdf",
        )
        for number in range(FILES)
    )
    data = BatchCreated(collection_id=COLLECTION, request_id=request, files=files)
    return structs.replace(created(), id=str(uuid4()), batch_id=batch, data=data)


def test_a_million_files_that_wait_take_300_mb() -> None:
    records = [encode(a_batch()) for _ in range(BATCHES)]
    ownership, schedule = Ownership(), Schedule(6, Shares(SystemClock()))
    ownership.begin(0, 0)
    unpack_state.cache_clear()
    gc.collect()
    tracemalloc.start()
    for offset, record in enumerate(records):
        event = decode(*record)
        ownership.fold(0, offset, event)
        ownership.confirm({event.batch_id: None})
        schedule.offer(event.batch_id, event.collection_id, "request", at(offset))
    del event
    unpack_state.cache_clear()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(schedule) == BATCHES
    assert taken / BATCHES < MOST_BYTES
