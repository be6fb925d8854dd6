"""The active batches of a collection at one place of its feed, as messages (DESIGN §5)."""

from contextlib import aclosing
from typing import NamedTuple, cast

import msgspec
from msgspec import UNSET, Raw

from quire_notifier.feed import Feed, Head
from quire_notifier.rows import Linker, state_view
from quire_schemas.messages import Snapshot, Subscribed, encode_message
from quire_schemas.views import BatchView

MESSAGE_BYTES = 64 * 1024
"""A message holds batches up to this size, at least one."""


class SnapshotMessages(NamedTuple):
    """JSON, to be written one after the other."""

    head: Head
    texts: list[bytes]


async def read_snapshot(feed: Feed, collection_id: str, link: Linker) -> SnapshotMessages:
    """One consistent snapshot; encoded while it is read, so that only the texts are held in memory."""
    texts: list[bytes] = []
    batches: list[Raw] = []
    size = 0
    async with aclosing(feed.snapshot(collection_id)) as parts:
        head = cast("Head", await anext(parts))
        async for state in parts:
            assert not isinstance(state, Head)  # noqa: S101 -- the head comes first and once
            batch = Raw(msgspec.json.encode(state_view(state, link)))
            if batches and size + len(bytes(batch)) > MESSAGE_BYTES:
                texts.append(_message(collection_id, head, batches, more=True))
                batches, size = [], 0
            batches.append(batch)
            size += len(bytes(batch))
    texts.append(_message(collection_id, head, batches, more=False))
    return SnapshotMessages(head, texts)


def _message(collection_id: str, head: Head, batches: list[Raw], *, more: bool) -> bytes:
    return encode_message(
        Subscribed(
            collection_id=collection_id,
            epoch=head.epoch,
            seq=head.last_seq,
            recovered=False,
            snapshot=Snapshot(batches=cast("list[BatchView]", batches)),
            more=True if more else UNSET,
        )
    )
