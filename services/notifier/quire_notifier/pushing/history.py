"""Reads older messages for subscribers that catch up. They are read from Postgres in aligned blocks, so that equal ranges are
read once.
"""

from collections import OrderedDict

from quire_notifier.pushing.feed import Feed
from quire_notifier.pushing.groups import Group
from quire_notifier.pushing.shared import Shared

BLOCK = 128
"""Messages in a block. Block number n holds seq n * BLOCK + 1 up to (n + 1) * BLOCK."""
KEPT_BYTES = 16 * 1024 * 1024


class Lost(Exception):
    """The message was removed, or its epoch is not live any more. The client needs a snapshot."""


class History:
    """Blocks of all collections. Whole blocks are kept for a while, as they never change."""

    def __init__(self, feed: Feed, shared: Shared) -> None:
        self._feed = feed
        self._shared = shared
        self._kept: OrderedDict[tuple[str, str, int], Group] = OrderedDict()
        self._size = 0

    async def holding(self, epoch: str, collection_id: str, seq: int) -> Group:
        """Returns a group with this message. Raises Lost."""
        key = (epoch, collection_id, (seq - 1) // BLOCK)
        group = self._kept.get(key)
        if group is None:
            group = await self._shared.ask(key, lambda: self._read(*key))
        else:
            self._kept.move_to_end(key)
        if not group.first <= seq <= group.last:
            raise Lost
        return group

    async def _read(self, epoch: str, collection_id: str, number: int) -> Group:
        run = await self._feed.read(collection_id, number * BLOCK, BLOCK, kind="replay")
        if run.epoch != epoch or not run.messages:
            raise Lost
        group = Group(run.messages)
        if group.first == number * BLOCK + 1 and len(group) == BLOCK:
            self._keep((epoch, collection_id, number), group)
        return group

    def _keep(self, key: tuple[str, str, int], group: Group) -> None:
        self._kept[key] = group
        self._size += group.size
        while self._size > KEPT_BYTES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._size -= dropped.size
