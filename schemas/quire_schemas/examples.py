"""Examples of every type of event and WebSocket message, for the generated documents and the tests."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from quire_schemas import ids
from quire_schemas.batch import evolve
from quire_schemas.events import (
    BatchCancelRequested,
    BatchCompleted,
    BatchCreated,
    BatchFailed,
    BatchProgressed,
    BatchReleased,
    BatchStarted,
    Event,
    EventData,
    FileFailed,
    FileProcessed,
    FileSpec,
    InFlight,
    event_of,
)
from quire_schemas.fields import Notice
from quire_schemas.messages import (
    AnyFeedMessage,
    Authenticate,
    Authenticated,
    BatchCancelledMessage,
    BatchCompletedMessage,
    BatchCreatedMessage,
    BatchFailedMessage,
    BatchProgressMessage,
    BatchRetryMessage,
    BatchStartedMessage,
    ClientMessage,
    Error,
    FileMessage,
    Ping,
    Pong,
    ServerMessage,
    Snapshot,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from quire_schemas.retry import retry_requested
from quire_schemas.states import BatchState
from quire_schemas.views import BatchView, CreatedFile, FilePosition

COLLECTION = "invoices"
BATCH = "b7c0de5e-0000-4000-8000-000000000001"
REQUEST = "4e90e570-0000-4000-8000-000000000001"
REPORT = "f11e0000-0000-4000-8000-000000000001"
SCAN = "f11e0000-0000-4000-8000-000000000002"
RUN = "4a000000-0000-4000-8000-000000000001"
NEXT_RUN = "4a000000-0000-4000-8000-000000000002"
EPOCH = "e90c0000-0000-4000-8000-000000000001"
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

_FILES = (
    FileSpec(file_id=REPORT, filename="report.pdf", size=48_213, sha256="1f" * 32, object_key=f"originals/{REQUEST}/0"),
    FileSpec(file_id=SCAN, filename="請求書.pdf", size=912, sha256="2e" * 32, object_key=f"originals/{REQUEST}/1"),
)
_ENCRYPTED = "The file is protected by a password. Remove the password and upload it again."
_ATTACHED = (
    Notice(
        code="attachments",
        message="2 files are attached, and their text is not read. Save them with a PDF program and upload them on their own.",
        count=2,
        names=("figures.xlsx", "terms.pdf"),
    ),
)
_NONE_LEFT = "None of the 2 files could be processed."


def _event(second: int, data: EventData, event_id: str, source: str = "/quire/processor/processor-1") -> Event:
    time = START + timedelta(seconds=second)
    return event_of(data, id=event_id, batch_id=BATCH, collection_id=COLLECTION, source=source, time=time)


def _told() -> tuple[Event, ...]:
    """Returns the events of one batch, in the order of the log, from its creation to its end."""
    text, thumbnail = f"artefacts/{BATCH}/{NEXT_RUN}/0.json", f"artefacts/{BATCH}/{NEXT_RUN}/0.jpg"
    in_flight = (InFlight(file_id=REPORT, stage="extracting", page=3, pages=12), InFlight(file_id=SCAN, stage="fetching"))
    return (
        _event(
            0, BatchCreated(collection_id=COLLECTION, request_id=REQUEST, files=_FILES), ids.created_id(BATCH), "/quire/ingest"
        ),
        _event(1, BatchStarted(attempt=1, run_id=RUN, worker="processor-1"), ids.started_id(BATCH, 1, RUN)),
        _event(2, BatchProgressed(run_id=RUN, stage="heartbeat", in_flight=in_flight), ids.progressed_id(RUN, 1)),
        _event(3, BatchReleased(run_id=RUN), ids.released_id(RUN)),
        _event(4, BatchStarted(attempt=2, run_id=NEXT_RUN, worker="processor-2"), ids.started_id(BATCH, 2, NEXT_RUN)),
        _event(
            5,
            FileProcessed(
                run_id=NEXT_RUN,
                file_id=REPORT,
                page_count=12,
                text_key=text,
                thumbnail_key=thumbnail,
                title="Report",
                pages_read=12,
                characters=31_407,
                notices=_ATTACHED,
            ),
            ids.settled_id(NEXT_RUN, REPORT),
        ),
        _event(
            6,
            FileFailed(run_id=NEXT_RUN, file_id=SCAN, code="encrypted", message=_ENCRYPTED),
            ids.settled_id(NEXT_RUN, SCAN),
        ),
        _event(7, BatchCompleted(run_id=NEXT_RUN), ids.ended_id(NEXT_RUN)),
    )


def _folded(events: tuple[Event, ...]) -> BatchState:
    state: BatchState | None = None
    for offset, event in enumerate(events):
        state = evolve(state, event, offset)
    if state is None:
        raise AssertionError("the story has no beginning")
    return state


def events() -> tuple[Event, ...]:
    """Returns at least one event of every type."""
    told = _told()
    retry = retry_requested(_folded(told), file_ids=(SCAN,), by="ada")
    cancel = BatchCancelRequested(generation=1, by="ada", reason="Submitted by mistake.")
    failed = BatchFailed(run_id=NEXT_RUN, code="all_files_failed", message=_NONE_LEFT)
    return (
        *told,
        _event(8, retry, ids.retry_id(BATCH, 0, force=False, file_ids=(SCAN,)), "/quire/ingest"),
        _event(9, cancel, ids.cancel_id(BATCH, 1), "/quire/ingest"),
        _event(10, failed, ids.ended_id(NEXT_RUN)),
    )


def client_messages() -> tuple[ClientMessage, ...]:
    return (
        Authenticate(token="eyJhbGciOiJIUzI1NiJ9.e30.signature"),  # noqa: S106 - no token of anything
        Subscribe(collection_id=COLLECTION),
        Subscribe(collection_id=COLLECTION, after=41, epoch=EPOCH),
        Unsubscribe(collection_id=COLLECTION),
        Ping(),
    )


def server_messages() -> tuple[ServerMessage, ...]:
    return (
        Subscribed(collection_id=COLLECTION, epoch=EPOCH, seq=41, recovered=False, snapshot=_snapshot()),
        Unsubscribed(collection_id=COLLECTION),
        Authenticated(expires_at=START + timedelta(hours=1)),
        Pong(),
        Error(code="forbidden", message="This token may not read the collection.", collection_id=COLLECTION),
        *feed(),
    )


def feed() -> tuple[AnyFeedMessage, ...]:
    seq = count(42)

    def said() -> dict[str, Any]:
        number = next(seq)
        return {"collection_id": COLLECTION, "seq": number, "batch_id": BATCH, "at": START + timedelta(seconds=number - 42)}

    counts: dict[str, Any] = {"processed": 1, "failed": 1, "cancelled": 0, "total": 2}
    position = FilePosition(file_id=REPORT, stage="extracting", page=3, pages=12, filename="report.pdf")
    described = [CreatedFile(file_id=file.file_id, filename=file.filename, size=file.size) for file in _FILES]
    return (
        BatchCreatedMessage(**said(), files=described),
        BatchStartedMessage(**said(), attempt=1, total=2),
        BatchProgressMessage(**said(), stage="heartbeat", processed=0, failed=0, total=2, in_flight=[position]),
        FileMessage(
            **said(),
            file_id=REPORT,
            filename="report.pdf",
            status="processed",
            page_count=12,
            truncated=False,
            pages_read=12,
            characters=31_407,
            notices=_ATTACHED,
        ),
        FileMessage(
            **said(), file_id=SCAN, filename="請求書.pdf", status="failed", error_code="encrypted", error_message=_ENCRYPTED
        ),
        BatchCompletedMessage(**said(), **counts, status="completed_with_errors", duration_ms=6000),
        BatchRetryMessage(**said(), file_ids=[SCAN], generation=1),
        BatchCancelledMessage(**said(), **{**counts, "failed": 0, "cancelled": 1}, reason="Submitted by mistake."),
        BatchFailedMessage(**said(), **{**counts, "processed": 0, "failed": 2}, code="all_files_failed", message=_NONE_LEFT),
    )


def _snapshot() -> Snapshot:
    position = FilePosition(file_id=REPORT, stage="extracting", page=3, pages=12, filename="report.pdf")
    return Snapshot(batches=[_batch_view(position)], total=1)


def _batch_view(position: FilePosition) -> BatchView:
    return BatchView(
        batch_id=BATCH,
        collection_id=COLLECTION,
        request_id=REQUEST,
        status="processing",
        policy="isolate",
        generation=0,
        attempt=1,
        stage="started",
        total=1,
        processed=0,
        failed=0,
        cancelled=0,
        created_at=START,
        started_at=START + timedelta(seconds=1),
        ended_at=None,
        last_seen_at=START + timedelta(seconds=1),
        worker="processor-1",
        error_code=None,
        error_message=None,
        in_flight=[position],
    )
