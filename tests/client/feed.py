"""Messages of a feed, as short as a test wants them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import UNSET, structs

from quire_schemas.events import Notice
from quire_schemas.messages import (
    BatchCancelledMessage,
    BatchCompletedMessage,
    BatchCreatedMessage,
    BatchFailedMessage,
    BatchProgressMessage,
    BatchRetryMessage,
    BatchStartedMessage,
    FileMessage,
    Snapshot,
    Subscribed,
)
from quire_schemas.views import BatchCounts, BatchView, CreatedFile, FileCounts, FilePosition, FileView, Links, RequestView

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BATCH = "0190e3a4-0000-4000-8000-000000000001"


def common(seq: int, batch_id: str = BATCH) -> dict[str, Any]:
    return {"collection_id": "default", "seq": seq, "batch_id": batch_id, "at": NOW + timedelta(seconds=seq)}


def created(*names: str, seq: int = 1, batch_id: str = BATCH) -> BatchCreatedMessage:
    return BatchCreatedMessage(
        **common(seq, batch_id), files=[CreatedFile(file_id=name, filename=name, size=10) for name in names]
    )


def started(attempt: int = 1, seq: int = 2) -> BatchStartedMessage:
    return BatchStartedMessage(**common(seq), attempt=attempt, total=2)


def working(name: str, page: int, pages: int, seq: int = 3, waiting_for: list[Any] | None = None) -> BatchProgressMessage:
    position = FilePosition(file_id=name, stage="extracting", page=page, pages=pages)
    waiting = UNSET if waiting_for is None else waiting_for
    return BatchProgressMessage(
        **common(seq), stage="heartbeat", processed=0, failed=0, total=2, in_flight=[position], waiting_for=waiting
    )


ATTACHED = (
    Notice(
        code="attachments",
        message="1 file is attached, and its text is not read. Save it and upload it.",
        count=1,
        names=("prices.xlsx",),
    ),
)


def processed(name: str, seq: int = 4, notices: tuple[Notice, ...] = ()) -> FileMessage:
    told: dict[str, Any] = {"truncated": False, "pages_read": 3, "characters": 31, "notices": notices}
    return FileMessage(**common(seq), file_id=name, filename=name, status="processed", page_count=3, **told)


def failed(name: str, seq: int = 5) -> FileMessage:
    words = "The file is protected by a password. Remove the password and upload it again."
    return FileMessage(**common(seq), file_id=name, filename=name, status="failed", error_code="encrypted", error_message=words)


def counts(processed: int, failed: int, cancelled: int) -> dict[str, Any]:
    return {"processed": processed, "failed": failed, "cancelled": cancelled, "total": processed + failed + cancelled}


def completed(seq: int = 6) -> BatchCompletedMessage:
    return BatchCompletedMessage(**common(seq), **counts(1, 1, 0), status="completed_with_errors", duration_ms=10)


def all_failed(seq: int = 6) -> BatchFailedMessage:
    return BatchFailedMessage(**common(seq), **counts(0, 2, 0), code="all_files_failed", message="No file could be read.")


def cancelled(reason: str | None, seq: int = 6) -> BatchCancelledMessage:
    return BatchCancelledMessage(**common(seq), **counts(1, 0, 1), reason=reason)


def again(*names: str, seq: int = 7) -> BatchRetryMessage:
    return BatchRetryMessage(**common(seq), file_ids=list(names), generation=1)


def subscribed(*batches: BatchView, recovered: bool = False, seq: int = 0) -> Subscribed:
    snapshot = UNSET if recovered else Snapshot(batches=list(batches))
    return Subscribed(collection_id="default", epoch="e", seq=seq, recovered=recovered, snapshot=snapshot)


def view(batch_id: str = BATCH, status: Any = "processing", **files: Any) -> BatchView:
    """A batch as the API has it; `files`: standing of each."""
    standings = list(files.values())
    return BatchView(
        batch_id=batch_id,
        collection_id="default",
        request_id="r",
        status=status,
        policy="isolate",
        generation=0,
        attempt=1,
        stage="started",
        total=len(files),
        processed=standings.count("processed"),
        failed=standings.count("failed"),
        cancelled=standings.count("cancelled"),
        created_at=NOW,
        started_at=NOW,
        ended_at=None,
        last_seen_at=NOW,
        worker="w",
        error_code=None,
        error_message=None,
        files=[file_view(name, batch_id, standing) for name, standing in files.items()],
    )


def request_view(name: str, status: Any) -> RequestView:
    """An upload as the API has it."""
    return RequestView(
        request_id="3f2a91bc-0000-4000-8000-000000000001",
        collection_id="default",
        name=name,
        status=status,
        created_at=NOW,
        started_at=NOW,
        ended_at=None,
        batches=BatchCounts(total=24, ended=9),
        files=FileCounts(total=600, queued=220, processing=8, processed=369, failed=3, cancelled=0),
        bytes=10**9,
        pages=4_000,
        files_per_second=8.5,
        eta_seconds=27.0,
    )


def active(batch_id: str, *, processed: int = 0, total: int = 2, in_flight: Sequence[FilePosition] = ()) -> BatchView:
    """As a snapshot has it: without its files."""
    return structs.replace(view(batch_id), total=total, processed=processed, files=UNSET, in_flight=list(in_flight))


def file_view(name: str, batch_id: str, standing: Any) -> FileView:
    return FileView(
        file_id=name,
        batch_id=batch_id,
        collection_id="default",
        original_filename=name,
        file_size=10,
        processing_status=standing,
        upload_progress=100,
        error_code=None,
        error_message=None,
        page_count=None,
        title=None,
        sha256="0" * 64,
        created_at=NOW,
        updated_at=NOW,
        links=Links(original=None, text=None, thumbnail=None),
    )
