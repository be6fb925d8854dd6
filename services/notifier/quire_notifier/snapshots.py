"""The active batches of a collection at one place of its feed, as WebSocket frames (DESIGN §5)."""

from contextlib import aclosing
from typing import NamedTuple, cast

import msgspec
from msgspec import UNSET, Raw

from quire_notifier.feed import Feed, Head
from quire_notifier.frames import text_frame
from quire_notifier.rows import Linker, state_view
from quire_schemas.messages import Snapshot, Subscribed, encode_message
from quire_schemas.views import BatchView

FRAME_BYTES = 64 * 1024
"""A frame holds batches up to this size, at least one."""


class SnapshotFrames(NamedTuple):
    """Ready to be written, one after the other."""

    head: Head
    frames: list[bytes]


async def read_snapshot(feed: Feed, collection_id: str, link: Linker) -> SnapshotFrames:
    """One consistent snapshot; encoded while it is read, so that only the frames are held in memory."""
    frames: list[bytes] = []
    batches: list[Raw] = []
    size = 0
    async with aclosing(feed.snapshot(collection_id)) as parts:
        head = cast("Head", await anext(parts))
        async for state in parts:
            assert not isinstance(state, Head)  # noqa: S101 -- the head comes first and once
            batch = Raw(msgspec.json.encode(state_view(state, link)))
            if batches and size + len(bytes(batch)) > FRAME_BYTES:
                frames.append(_frame(collection_id, head, batches, more=True))
                batches, size = [], 0
            batches.append(batch)
            size += len(bytes(batch))
    frames.append(_frame(collection_id, head, batches, more=False))
    return SnapshotFrames(head, frames)


def _frame(collection_id: str, head: Head, batches: list[Raw], *, more: bool) -> bytes:
    return text_frame(
        encode_message(
            Subscribed(
                collection_id=collection_id,
                epoch=head.epoch,
                seq=head.last_seq,
                recovered=False,
                snapshot=Snapshot(batches=cast("list[BatchView]", batches)),
                more=True if more else UNSET,
            )
        )
    )
