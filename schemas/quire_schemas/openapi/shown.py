"""Examples of the notifier's answers: views of the batch of `quire_schemas.examples`, folded, and of its file."""

from datetime import timedelta
from typing import TypeVar

from quire_schemas import examples
from quire_schemas.batch import evolve
from quire_schemas.openapi.structs import FeedPage
from quire_schemas.states import BatchState
from quire_schemas.views import (
    BatchCounts,
    BatchView,
    CollectionView,
    FailureView,
    FileCounts,
    FileView,
    Links,
    Page,
    RequestView,
)

T = TypeVar("T")


def page(item: T) -> Page[T]:
    return Page(items=[item], next_cursor=None)


def _state() -> BatchState:
    """Returns the state of the example batch at its end, before its retry."""
    state: BatchState | None = None
    for offset, event in enumerate(examples.events()):
        if state is None or not state.terminal:
            state = evolve(state, event, offset)
    assert state is not None  # noqa: S101 -- there is at least one event
    return state


STATE = _state()
_START, _END = STATE.created_at, STATE.ended_at
_COUNTS = FileCounts(total=2, queued=0, processing=0, processed=1, failed=1, cancelled=0)
_DONE = STATE.files[examples.REPORT]
FILE = FileView(
    file_id=_DONE.file_id,
    batch_id=STATE.batch_id,
    collection_id=STATE.collection_id,
    original_filename=_DONE.filename,
    file_size=_DONE.size,
    processing_status=_DONE.standing,
    upload_progress=100,
    error_code=None,
    error_message=None,
    page_count=_DONE.page_count,
    title=_DONE.title,
    pages_read=_DONE.pages_read,
    characters=_DONE.characters,
    notices=_DONE.notices,
    sha256=_DONE.sha256,
    created_at=_START,
    updated_at=_DONE.updated_at,
    started_at=_START + timedelta(seconds=4),
    duration_ms=1_000,
    links=Links(
        original=f"api/files/{_DONE.file_id}/original",
        text=f"api/files/{_DONE.file_id}/text",
        thumbnail=f"api/files/{_DONE.file_id}/thumbnail",
    ),
)
BATCH = BatchView(
    batch_id=STATE.batch_id,
    collection_id=STATE.collection_id,
    request_id=STATE.request_id,
    status=STATE.status,
    policy=STATE.policy,
    generation=STATE.generation,
    attempt=STATE.attempt,
    stage=STATE.stage,
    total=2,
    processed=1,
    failed=1,
    cancelled=0,
    created_at=_START,
    started_at=STATE.started_at,
    ended_at=_END,
    last_seen_at=STATE.last_seen_at,
    worker=STATE.worker,
    error_code=None,
    error_message=None,
)
REQUEST = RequestView(
    request_id=STATE.request_id,
    collection_id=STATE.collection_id,
    name="report.pdf",
    status=STATE.status,
    created_at=_START,
    started_at=STATE.started_at,
    ended_at=_END,
    batches=BatchCounts(total=1, ended=1),
    files=_COUNTS,
    bytes=sum(file.size for file in STATE.files.values()),
    pages=12,
    files_per_second=0.33,
    eta_seconds=None,
)
COLLECTION = CollectionView(collection_id=STATE.collection_id, last_seq=48, active=0, files=_COUNTS)
FAILURE = FailureView(code="encrypted", count=1, retriable=1, message=STATE.files[examples.SCAN].message or "")
FEED = FeedPage(epoch=examples.EPOCH, items=list(examples.feed()[:3]), next_cursor=44)
