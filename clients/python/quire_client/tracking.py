"""Folds the messages of a feed into the state of each batch, without side effects: messages in, batches out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from msgspec import UNSET, UnsetType

from quire_client.cursor import Item
from quire_schemas.events import SETTLED, TERMINAL, Standing, Status
from quire_schemas.fields import Notice
from quire_schemas.messages import (
    AnyFeedMessage,
    BatchCancelledMessage,
    BatchCompletedMessage,
    BatchCreatedMessage,
    BatchFailedMessage,
    BatchProgressMessage,
    BatchRetryMessage,
    BatchStartedMessage,
    Counts,
    FileMessage,
    Subscribed,
)
from quire_schemas.views import BatchView, FilePosition


@dataclass
class File:
    """State of a file; `size` is in bytes."""

    filename: str
    size: int
    standing: Standing = "queued"
    pages: int | None = None
    code: str | None = None
    message: str | None = None
    truncated: bool = False
    pages_read: int | None = None
    characters: int | None = None
    notices: tuple[Notice, ...] = ()


@dataclass
class Batch:
    """State of a batch as far as this client knows it. `files` holds the files that it has heard of; `counts` holds the numbers
    of all settled files by outcome.
    """

    batch_id: str
    created_at: datetime
    total: int
    files: dict[str, File] = field(default_factory=dict)
    counts: Counter[Standing] = field(default_factory=Counter)
    as_of: int = 0
    """Seq up to which messages are included in this state."""
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
    def complete(self) -> bool:
        """Whether each file is known, and not only the number of files."""
        return len(self.files) == self.total

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def settled(self) -> int:
        return self.counts.total()

    def count(self, standing: Standing) -> int:
        return self.counts[standing]


class Tracker:
    """All batches of a collection that the client has heard of."""

    def __init__(self, *, files: bool) -> None:
        """With `files`, new batches get the state of each file; without it, only counts of files."""
        self.batches: dict[str, Batch] = {}
        self.created: set[str] = set()
        """Ids of the batches whose creation the feed reported."""
        self.told: Counter[str] = Counter()
        """Number of messages taken, by batch id."""
        self._files = files

    def take(self, item: Item) -> set[str]:
        """Applies a message; returns the ids of batches whose state the client has to ask for."""
        if isinstance(item, Subscribed):
            return set()
        self.told[item.batch_id] += 1
        batch = self.batches.get(item.batch_id)
        if isinstance(item, BatchCreatedMessage):
            self.created.add(item.batch_id)
            if batch is None:
                self.batches[item.batch_id] = self._new(item)
            return set()
        if batch is None:
            return {item.batch_id}
        if item.seq > batch.as_of:
            apply(batch, item)
        return {item.batch_id} if isinstance(item, BatchRetryMessage) and not batch.complete else set()

    def begin(self, parts: Sequence[Subscribed]) -> set[str]:
        """Takes the parts of a snapshot, each as of its own seq. Returns the ids of batches whose state the client has to ask
        for: active batches that the snapshot lacks (they have ended, or their messages are gone), and batches whose files were
        known, because the snapshot has only counts of files.
        """
        known = dict(self.batches)
        for part in parts:
            for view in part.snapshot.batches if part.snapshot is not UNSET else ():
                self.batches[view.batch_id] = of_view(view, part.seq)
        unknown = set()
        for batch_id, batch in known.items():
            batch.as_of = 0  # a batch that stays as it is: seqs of another epoch begin anew
            absent = self.batches[batch_id] is batch
            if (absent and not batch.ended) or (not absent and batch.complete):
                unknown.add(batch_id)
        return unknown

    def put(self, views: Iterable[BatchView]) -> None:
        """Takes states that the client has asked for."""
        for view in views:
            self.batches[view.batch_id] = of_view(view)

    def keep_ended(self, most: int) -> None:
        """Forgets all ended batches except the `most` that ended last. The state of a forgotten batch is asked for again if the
        batch is retried.
        """
        ended = [batch_id for batch_id, batch in self.batches.items() if batch.ended]
        ended.sort(key=lambda batch_id: self.batches[batch_id].ended_at or self.batches[batch_id].created_at)
        for batch_id in ended[: max(0, len(ended) - most)]:
            del self.batches[batch_id], self.told[batch_id]
            self.created.discard(batch_id)

    def _new(self, item: BatchCreatedMessage) -> Batch:
        files = {each.file_id: File(each.filename, each.size) for each in item.files} if self._files else {}
        return Batch(item.batch_id, item.at, len(item.files), files)


def of_view(view: BatchView, as_of: int = 0) -> Batch:
    files = {
        file.file_id: File(
            file.original_filename,
            file.file_size,
            file.processing_status,
            file.page_count,
            file.error_code,
            file.error_message,
            file.truncated,
            file.pages_read,
            file.characters,
            file.notices,
        )
        for file in view.files or ()
    }
    return Batch(
        view.batch_id,
        view.created_at,
        view.total,
        files,
        Counter({"processed": view.processed, "failed": view.failed, "cancelled": view.cancelled}),
        as_of,
        view.status,
        view.attempt,
        view.stage,
        view.last_seen_at,
        view.ended_at,
        view.error_code,
        view.error_message,
        view.in_flight or [],
    )


def apply(batch: Batch, message: AnyFeedMessage) -> None:
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
            if not batch.complete:
                batch.counts["processed"], batch.counts["failed"] = message.processed, message.failed
        case FileMessage():
            _file(batch, message)
        case BatchCompletedMessage():
            _end(batch, message, message.status)
        case BatchFailedMessage():
            _end(batch, message, "failed")
            batch.code, batch.message = message.code, message.message
        case BatchCancelledMessage():
            _end(batch, message, "cancelled")
            batch.message = message.reason
        case BatchRetryMessage():
            _again(batch, message.file_ids)
        case _:
            assert_never(message)


def _file(batch: Batch, message: FileMessage) -> None:
    file = batch.files.setdefault(message.file_id, File(message.filename, 0))
    _stands(batch, file, message.status)
    file.pages = message.page_count or None
    file.code, file.message = message.error_code or None, message.error_message or None
    file.truncated, file.notices = message.truncated or False, message.notices or ()
    file.pages_read, file.characters = _given(message.pages_read), _given(message.characters)
    batch.in_flight = [each for each in batch.in_flight if each.file_id != message.file_id]


def _stands(batch: Batch, file: File, standing: Standing) -> None:
    """Sets the standing of a file and adjusts the counts, which count settled files only."""
    batch.counts[file.standing] -= file.standing in SETTLED
    batch.counts[standing] += standing in SETTLED
    file.standing = standing


def _end(batch: Batch, message: Counts, status: Status) -> None:
    batch.status, batch.ended_at = status, message.at
    batch.in_flight, batch.waiting_for = [], []
    if not batch.complete:  # a complete batch counts its own files: this message may be older than a state that was asked for
        batch.counts = Counter({"processed": message.processed, "failed": message.failed, "cancelled": message.cancelled})


def _again(batch: Batch, file_ids: list[str]) -> None:
    batch.status, batch.stage, batch.ended_at, batch.code, batch.message = "queued", None, None, None, None
    batch.in_flight, batch.waiting_for = [], []
    for file_id in file_ids:
        if (file := batch.files.get(file_id)) is not None:
            _stands(batch, file, "queued")
            batch.files[file_id] = File(file.filename, file.size)


def _given(count: int | UnsetType) -> int | None:
    return None if count is UNSET else count
