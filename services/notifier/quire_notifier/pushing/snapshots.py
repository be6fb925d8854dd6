"""The active batches of a collection at one place of its feed, as SUBSCRIBED messages (docs/design.md, "Row to socket")."""

from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec import UNSET, Raw

from quire_notifier.projecting.rows import BatchRow, positions
from quire_notifier.pushing.cursors import Onward, cursor_of
from quire_notifier.pushing.feed import Active, Feed, Head
from quire_notifier.pushing.groups import Encoding
from quire_schemas.messages import Snapshot, Subscribed, encode_message
from quire_schemas.states import BatchState
from quire_schemas.views import BatchView

MOST_BATCHES = 500
"""Batches in a snapshot at most. Clients ask for the others with a cursor."""
MESSAGE_BYTES = 64 * 1024
"""Bytes of batches in a message at most, unless a single batch is larger."""
MOST_BEHIND = 500
"""Messages that may follow a kept snapshot. A client that would have to catch up with more gets a new snapshot."""


class SnapshotMessages:
    """SUBSCRIBED messages, to be written one after the other. All clients that begin at the same place share them."""

    def __init__(self, head: Head, texts: Sequence[bytes]) -> None:
        """`texts` holds the JSON of each message."""
        self.head = head
        self.texts = texts
        self._encoded: dict[Encoding, list[bytes]] = {}

    def encoded(self, encoding: Encoding) -> list[bytes]:
        """Returns each message as the bytes that go over the wire."""
        found = self._encoded.get(encoding)
        if found is None:
            found = self._encoded[encoding] = [encoding(text) for text in self.texts]
        return found

    def leads_to(self, head: Head) -> bool:
        """Returns whether the messages after this snapshot are all still kept, and few."""
        seq = self.head.last_seq
        return self.head.epoch == head.epoch and head.pruned_to <= seq and head.last_seq - seq <= MOST_BEHIND


async def read_snapshot(feed: Feed, collection_id: str, after: Onward | None) -> SnapshotMessages:
    """Reads one consistent snapshot of at most MOST_BATCHES batches, only those after the place `after` if it is given."""
    active = await feed.active(collection_id, after, MOST_BATCHES + 1)
    parts = _parts([msgspec.json.encode(_view(*each)) for each in active.batches[:MOST_BATCHES]])
    last = len(parts) - 1
    return SnapshotMessages(
        active.head, [_message(collection_id, active, part, more=number < last) for number, part in enumerate(parts)]
    )


def _view(row: BatchRow, state: BatchState | None) -> BatchView:
    """Returns the view of a batch without its files, but with the files in flight. `state` is given for a batch that is being
    processed.
    """
    return BatchView(**row._asdict(), in_flight=[] if state is None else positions(state))


def _parts(batches: Sequence[bytes]) -> list[list[bytes]]:
    """Splits the batches into parts of at most MESSAGE_BYTES. There is at least one part, which may be empty."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for batch in batches:
        if parts[-1] and size + len(batch) > MESSAGE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(batch)
        size += len(batch)
    return parts


def _message(collection_id: str, active: Active, batches: list[bytes], *, more: bool) -> bytes:
    snapshot = Snapshot(
        batches=cast("list[BatchView]", [Raw(batch) for batch in batches]), total=active.total, next_cursor=_following(active)
    )
    return encode_message(
        Subscribed(
            collection_id=collection_id,
            epoch=active.head.epoch,
            seq=active.head.last_seq,
            recovered=False,
            snapshot=snapshot,
            more=True if more else UNSET,
        )
    )


def _following(active: Active) -> str | None:
    if len(active.batches) <= MOST_BATCHES:
        return None
    last, _ = active.batches[MOST_BATCHES - 1]
    return cursor_of(active.head.last_seq, last.created_at, last.batch_id)
