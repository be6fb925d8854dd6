"""Finds which batches of a collection belong to this upload, as far as that can be known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from quire_cli.gather import Chosen
from quire_client import Batch, Tracker
from quire_schemas.messages import AnyFeedMessage
from quire_schemas.text import scrub, shorten_filename


class OwnBatches:
    """Batches of this upload: those that an answer of ingest has named, in order.

    While the upload runs, it also keeps the messages of other batches, because a later answer may name them.
    """

    def __init__(self, files: Sequence[Chosen], tracker: Tracker) -> None:
        self.uploading = True
        self._tracker = tracker
        self._ids: dict[str, None] = {}
        self._unclaimed: dict[str, list[AnyFeedMessage]] = {}
        self._mine = Counter((shorten_filename(scrub(file.name)), file.size) for file in files)  # as named in batches

    def take(self, message: AnyFeedMessage) -> bool:
        """Returns whether the message is about a batch of this upload. While uploading, messages of other batches are kept."""
        if message.batch_id in self._ids:
            return True
        if self.uploading:
            self._unclaimed.setdefault(message.batch_id, []).append(message)
        return False

    def claim(self, batch_id: str) -> list[AnyFeedMessage]:
        """Adds the batch to those of this upload; returns the messages that were kept for it."""
        if batch_id in self._ids:
            return []
        self._ids[batch_id] = None
        return self._unclaimed.pop(batch_id, [])

    def uploaded(self) -> None:
        """Notes that the upload is over: ingest has named all of its batches. Drops the messages kept for others."""
        self.uploading = False
        self._unclaimed.clear()

    @property
    def named(self) -> list[str]:
        """Ids of the batches that an answer of ingest has named."""
        return list(self._ids)

    @property
    def sure(self) -> list[Batch]:
        """The named batches that the tracker knows."""
        known = self._tracker.batches
        return [known[batch_id] for batch_id in self._ids if batch_id in known]

    @property
    def probable(self) -> list[Batch]:
        """The sure batches and, while uploading, the candidates: new batches that hold only files like those of this upload."""
        return [*self.sure, *(self.candidates() if self.uploading else ())]

    def candidates(self) -> Iterator[Batch]:
        for batch_id, batch in self._tracker.batches.items():
            new = batch_id in self._tracker.created and batch_id not in self._ids
            if new and batch.complete and Counter((file.filename, file.size) for file in batch.files.values()) <= self._mine:
                yield batch

    def silent(self) -> list[str]:
        """Returns the ids of the named batches whose creation the feed did not report."""
        return [batch_id for batch_id in self._ids if batch_id not in self._tracker.created]

    def ended(self) -> bool:
        known = self._tracker.batches
        return all(batch_id in known and known[batch_id].ended for batch_id in self._ids)
