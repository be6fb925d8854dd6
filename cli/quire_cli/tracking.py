"""Where each batch stands, as the feed tells it. A fold without effects: messages in, batches out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from msgspec import UNSET

from quire_schemas.client import Item
from quire_schemas.events import SETTLED, TERMINAL, Standing, Status
from quire_schemas.messages import (
    BatchCancelledMessage,
    BatchCompletedMessage,
    BatchCreatedMessage,
    BatchFailedMessage,
    BatchProgressMessage,
    BatchRetryMessage,
    BatchStartedMessage,
    FileMessage,
    Subscribed,
)
from quire_schemas.views import BatchView, FilePosition


@dataclass
class File:
    """`size` in bytes."""

    filename: str
    size: int
    standing: Standing = "queued"
    pages: int | None = None
    code: str | None = None
    message: str | None = None


@dataclass
class Batch:
    """Where a batch stands as far as this client has heard."""

    batch_id: str
    created_at: datetime
    files: dict[str, File]
    status: Status = "queued"
    attempt: int = 0
    stage: str | None = None
    seen_at: datetime | None = None
    ended_at: datetime | None = None
    code: str | None = None
    message: str | None = None
    in_flight: list[FilePosition] = field(default_factory=list)
    waiting_for: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.files)

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def settled(self) -> int:
        return sum(file.standing in SETTLED for file in self.files.values())

    def count(self, standing: Standing) -> int:
        return sum(file.standing == standing for file in self.files.values())


class Tracker:
    """All batches of a collection that were heard of."""

    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.told: Counter[str] = Counter()
        """How many messages were taken, by batch."""

    def take(self, item: Item) -> set[str]:
        """Applies the item; gives the ids of batches whose state has to be asked for."""
        if isinstance(item, Subscribed):
            return self._subscribed(item)
        self.told[item.batch_id] += 1
        if isinstance(item, BatchCreatedMessage):
            files = {each.file_id: File(each.filename, each.size) for each in item.files}
            self.batches[item.batch_id] = Batch(item.batch_id, item.at, files)
            return set()
        if (batch := self.batches.get(item.batch_id)) is None:
            return {item.batch_id}
        apply(batch, item)
        return set()

    def put(self, views: Iterable[BatchView]) -> None:
        """States that were asked for, with their files."""
        for view in views:
            self.batches[view.batch_id] = of_view(view)

    def keep_ended(self, most: int) -> None:
        """Forgets all ended batches but those that ended last. One that is retried is asked for again."""
        ended = [batch_id for batch_id, batch in self.batches.items() if batch.ended]
        ended.sort(key=lambda batch_id: self.batches[batch_id].ended_at or self.batches[batch_id].created_at)
        for batch_id in ended[: max(0, len(ended) - most)]:
            del self.batches[batch_id], self.told[batch_id]

    def _subscribed(self, item: Subscribed) -> set[str]:
        """Of a snapshot, batches that it lacks have ended meanwhile, or their messages are gone."""
        if item.snapshot is UNSET:
            return set()
        self.put(item.snapshot.batches)
        present = {view.batch_id for view in item.snapshot.batches}
        return {batch_id for batch_id, batch in self.batches.items() if not batch.ended and batch_id not in present}


def of_view(view: BatchView) -> Batch:
    files = {
        file.file_id: File(
            file.original_filename, file.file_size, file.processing_status, file.page_count, file.error_code, file.error_message
        )
        for file in view.files or ()
    }
    return Batch(
        view.batch_id,
        view.created_at,
        files,
        view.status,
        view.attempt,
        view.stage,
        view.last_seen_at,
        view.ended_at,
        view.error_code,
        view.error_message,
    )


def apply(
    batch: Batch,
    message: BatchStartedMessage
    | BatchProgressMessage
    | FileMessage
    | BatchCompletedMessage
    | BatchFailedMessage
    | BatchCancelledMessage
    | BatchRetryMessage
    | BatchCreatedMessage,
) -> None:
    batch.seen_at = message.at
    match message:
        case BatchCreatedMessage():
            pass
        case BatchStartedMessage():
            batch.status, batch.stage, batch.attempt = "processing", "started", message.attempt
            batch.in_flight, batch.waiting_for = [], []
        case BatchProgressMessage():
            batch.status = "queued" if message.stage == "released" else "processing"
            batch.stage, batch.in_flight = message.stage, message.in_flight
            batch.waiting_for = list(message.waiting_for or ())
        case FileMessage():
            _file(batch, message)
        case BatchCompletedMessage():
            _end(batch, message.status, message.at)
        case BatchFailedMessage():
            _end(batch, "failed", message.at)
            batch.code, batch.message = message.code, message.message
        case BatchCancelledMessage():
            _end(batch, "cancelled", message.at)
            batch.message = message.reason
        case BatchRetryMessage():
            _again(batch, message.file_ids)
        case _:
            assert_never(message)


def _file(batch: Batch, message: FileMessage) -> None:
    file = batch.files.setdefault(message.file_id, File(message.filename, 0))
    file.standing = message.status
    file.pages = message.page_count or None
    file.code, file.message = message.error_code or None, message.error_message or None
    batch.in_flight = [each for each in batch.in_flight if each.file_id != message.file_id]


def _end(batch: Batch, status: Status, at: datetime) -> None:
    batch.status, batch.ended_at = status, at
    batch.in_flight, batch.waiting_for = [], []


def _again(batch: Batch, file_ids: list[str]) -> None:
    batch.status, batch.stage, batch.ended_at, batch.code, batch.message = "queued", None, None, None, None
    for file_id in file_ids:
        if (file := batch.files.get(file_id)) is not None:
            file.standing, file.pages, file.code, file.message = "queued", None, None, None
