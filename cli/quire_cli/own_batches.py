"""Which batches of a collection are those of this upload, as far as it can be known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from quire_cli.gather import Chosen
from quire_client import Batch, Tracker
from quire_schemas.messages import AnyFeedMessage
from quire_schemas.text import scrub, shorten_filename


class OwnBatches:
    """Those that an answer of ingest has named, in order; while it uploads, also those that may turn out to be named."""

    def __init__(self, files: Sequence[Chosen], tracker: Tracker) -> None:
        self.uploading = True
        self._tracker = tracker
        self._ids: dict[str, None] = {}
        self._unclaimed: dict[str, list[AnyFeedMessage]] = {}
        self._mine = Counter((shorten_filename(scrub(file.name)), file.size) for file in files)  # as batches name them

    def take(self, message: AnyFeedMessage) -> bool:
        """Whether the message is about one of them; while it uploads, others are kept until it is known."""
        if message.batch_id in self._ids:
            return True
        if self.uploading:
            self._unclaimed.setdefault(message.batch_id, []).append(message)
        return False

    def claim(self, batch_id: str) -> list[AnyFeedMessage]:
        """From now on it is one of them. Gives what was heard of it before."""
        if batch_id in self._ids:
            return []
        self._ids[batch_id] = None
        return self._unclaimed.pop(batch_id, [])

    def uploaded(self) -> None:
        """All are named."""
        self.uploading = False
        self._unclaimed.clear()

    @property
    def named(self) -> list[str]:
        """The ids of those that an answer has named."""
        return list(self._ids)

    @property
    def sure(self) -> list[Batch]:
        """Those of which anything was heard."""
        known = self._tracker.batches
        return [known[batch_id] for batch_id in self._ids if batch_id in known]

    @property
    def probable(self) -> list[Batch]:
        """With them, those that appeared while it uploads and hold nothing but files of it."""
        return [*self.sure, *(self.candidates() if self.uploading else ())]

    def candidates(self) -> Iterator[Batch]:
        for batch_id, batch in self._tracker.batches.items():
            new = batch_id in self._tracker.created and batch_id not in self._ids
            if new and batch.complete and Counter((file.filename, file.size) for file in batch.files.values()) <= self._mine:
                yield batch

    def silent(self) -> list[str]:
        """Those whose beginning was not heard."""
        return [batch_id for batch_id in self._ids if batch_id not in self._tracker.created]

    def ended(self) -> bool:
        known = self._tracker.batches
        return all(batch_id in known and known[batch_id].ended for batch_id in self._ids)
