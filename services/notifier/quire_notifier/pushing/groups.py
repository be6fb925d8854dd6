"""Groups of successive feed messages in memory. A group is encoded once for each encoding, however many clients read it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct

from quire_notifier.pushing.feed import Message

Encoding = Callable[[bytes], bytes]
"""Converts the JSON of a message to the bytes that go over the wire."""


class _Numbered(Struct):
    seq: int


_numbered = msgspec.json.Decoder(_Numbered)

RING_BYTES = 1024 * 1024
RING_GROUPS = 1024


def seq_of(text: bytes) -> int:
    """Returns the seq in a message's JSON."""
    return _numbered.decode(text).seq


class Group:
    """One or more successive messages."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.first, self.last = messages[0].seq, messages[-1].seq
        self.since = messages[0].at
        self.size = sum(len(message.text) for message in messages)
        self._messages = messages
        self._encoded: dict[Encoding, list[bytes]] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def encoded(self, encoding: Encoding) -> list[bytes]:
        """Returns each message as the bytes that go over the wire."""
        found = self._encoded.get(encoding)
        if found is None:
            found = self._encoded[encoding] = [encoding(message.text) for message in self._messages]
        return found

    def after(self, seq: int, encoding: Encoding) -> list[bytes]:
        """Returns the encoded messages after `seq`, which must not be before the group."""
        return self.encoded(encoding)[seq + 1 - self.first :]


def groups_of(messages: Sequence[Message], most_bytes: int) -> Iterator[Group]:
    """Yields the messages in groups of at most `most_bytes`. A larger message is a group of its own."""
    start = size = 0
    for number, message in enumerate(messages):
        if number > start and size + len(message.text) > most_bytes:
            yield Group(messages[start:number])
            start, size = number, 0
        size += len(message.text)
    if messages:
        yield Group(messages[start:])


class Ring:
    """The newest groups of a collection's messages, without a gap between them."""

    def __init__(self) -> None:
        self._groups: deque[Group] = deque()
        self._size = 0

    def append(self, group: Group) -> None:
        """Adds the group that follows the last one, and drops the oldest groups to make room."""
        self._groups.append(group)
        self._size += group.size
        while len(self._groups) > 1 and (self._size > RING_BYTES or len(self._groups) > RING_GROUPS):
            self._size -= self._groups.popleft().size

    def holding(self, seq: int) -> Group | None:
        """Returns the group with this message, or None if the ring does not hold it any more."""
        if not self._groups or seq < self._groups[0].first:
            return None
        return next((group for group in reversed(self._groups) if group.first <= seq <= group.last), None)

    def clear(self) -> None:
        self._groups.clear()
        self._size = 0
