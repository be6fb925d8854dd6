"""Writes the result of a fold as rows of `batch`, `file_metadata` and `feed`, always in the caller's transaction."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec
from msgspec import structs

from quire_notifier.projecting.epochs import Connection
from quire_notifier.projecting.fold import Change, Folded
from quire_notifier.projecting.requests import count_files, write_requests
from quire_notifier.projecting.row_sql import row_statements
from quire_notifier.projecting.rows import batch_row, changed_files
from quire_schemas.messages import AnyFeedMessage, encode_message
from quire_schemas.states import BatchState
from quire_schemas.stored import decode_state, encode_state
from quire_schemas.text import searchable

CHANNEL = "quire_feed"
"""The channel of NOTIFY. The payload is a Heads, or empty when every collection may have new messages."""
_LONGEST_PAYLOAD = 7_900
"""Bytes of a payload at most; Postgres refuses 8,000."""
_SQL = row_statements("quire_notifier.projecting", "projection")


class PolledRange(NamedTuple):
    """The offsets of one poll in a partition: `first` is the position required before it, `next` the position after it."""

    first: int
    next: int


class Heads(msgspec.Struct, frozen=True, omit_defaults=True):
    """The collections that have new messages: the last seq of each, and the traceparents of the spans that appended the
    messages, if these are traced.
    """

    epoch: str
    last_seqs: dict[str, int]
    traces: dict[str, list[str]] = {}


async def begin(connection: Connection | asyncpg.Pool, epoch: str, offsets: Mapping[int, int], *, live: bool) -> None:
    """Inserts the positions of partitions that the epoch does not have yet, if the epoch's state (live or not) is as `live`
    says.
    """
    await connection.execute(_SQL["begin"], epoch, list(offsets), list(offsets.values()), live)


async def advance(connection: Connection, epoch: str, spans: Mapping[int, PolledRange]) -> bool:
    """Moves every partition's position by compare-and-set. Returns False when a position was not the required one. Other
    positions may have been moved all the same, so the caller must roll back.
    """
    partitions = sorted(spans)
    rows = await connection.fetch(
        _SQL["advance"],
        epoch,
        partitions,
        [spans[partition].first for partition in partitions],
        [spans[partition].next for partition in partitions],
    )
    return len(rows) == len(partitions)


async def positions(connection: Connection, epoch: str, partitions: Collection[int]) -> dict[int, int]:
    """Returns the next offset of each partition that the epoch has begun."""
    return {row[0]: row[1] for row in await connection.fetch(_SQL["positions"], epoch, list(partitions))}


async def read_states(connection: Connection, batch_ids: Collection[str]) -> dict[str, BatchState]:
    """Returns the states of the batches that the tables have."""
    if not batch_ids:
        return {}
    states = (decode_state(row[0]) for row in await connection.fetch(_SQL["states"], list(batch_ids)))
    return {state.batch_id: state for state in states}


async def write(connection: Connection, epoch: str, folded: Folded) -> dict[str, int]:
    """Writes all changes and messages. Returns the last seq of each collection that has new messages."""
    if not folded.changes:
        return {}
    await write_rows(connection, folded.changes.values())
    await write_requests(connection, folded)
    last_seqs = await append(connection, epoch, folded.messages)
    await count_files(connection, epoch, folded)
    return last_seqs


async def write_rows(connection: Connection, changes: Collection[Change]) -> None:
    batches = [(encode_state(change.after), *batch_row(change.after)) for change in changes]
    await connection.execute(_SQL["write_batches"], *_columns(batches))
    files = [(searchable(row.original_filename), *row) for change in changes for row in changed_files(*change)]
    if files:
        await connection.execute(_SQL["write_files"], *_columns(files))


async def append(connection: Connection, epoch: str, messages: Sequence[AnyFeedMessage]) -> dict[str, int]:
    """Gives each message its seq and appends it to the feed. Returns the last seq of each collection."""
    if not messages:
        return {}
    counts = Counter(message.collection_id for message in messages)
    collections = sorted(counts)
    rows = await connection.fetch(_SQL["reserve"], epoch, collections, [counts[name] for name in collections])
    last: dict[str, int] = {row[0]: row[1] for row in rows}
    numbered = number(messages, {name: last[name] - counts[name] + 1 for name in collections})
    await connection.execute(_SQL["append"], epoch, *_columns([_row(message) for message in numbered]))
    return last


def number(messages: Iterable[AnyFeedMessage], first: Mapping[str, int]) -> list[AnyFeedMessage]:
    """Returns the messages with their seq. Within each collection the seq counts up from `first` without gaps."""
    following = dict(first)
    numbered = []
    for message in messages:
        seq = following[message.collection_id]
        following[message.collection_id] = seq + 1
        numbered.append(structs.replace(message, seq=seq))
    return numbered


async def notify(connection: Connection, heads: Heads | None) -> None:
    """Tells every notifier, when the transaction commits, which collections have new messages. `heads` None means any
    collection. Traces are left out when they would make the payload too long.
    """
    payload = "" if heads is None else encode_message(heads).decode()
    if heads is not None and heads.traces and len(payload) > _LONGEST_PAYLOAD:
        payload = encode_message(structs.replace(heads, traces={})).decode()
    await connection.execute(_SQL["notify"], CHANNEL, payload if len(payload) <= _LONGEST_PAYLOAD else "")


def _row(message: AnyFeedMessage) -> tuple[Any, ...]:
    kind = type(message).__struct_config__.tag
    return message.collection_id, message.seq, message.batch_id, kind, message.at, encode_message(message).decode()


def _columns(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))
