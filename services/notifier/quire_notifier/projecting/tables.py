"""Writes what was folded: rows of `batch`, `file_metadata`, `feed`. Everything here runs in the caller's transaction."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec
from msgspec import structs

from quire_notifier.projecting.epochs import Connection
from quire_notifier.projecting.fold import Change, Folded
from quire_notifier.projecting.requests import count_files, write_requests
from quire_notifier.projecting.rows import batch_row, changed_files
from quire_runtime.statements import statements
from quire_schemas.batch import BatchState
from quire_schemas.messages import AnyFeedMessage, encode_message
from quire_schemas.stored import decode_state, encode_state
from quire_schemas.text import searchable

CHANNEL = "quire_feed"
"""The channel of NOTIFY. The payload is a Heads, or empty: look everywhere."""
_LONGEST_PAYLOAD = 7_900
"""Bytes; Postgres refuses 8,000."""
_SQL = statements("quire_notifier.projecting", "projection")


class Span(NamedTuple):
    """A partition's records of one poll: where it had to stand before, and stands after."""

    first: int
    next: int


class Heads(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which collections have something new: their last seq, and the traceparents of what has appended it, if it is traced."""

    epoch: str
    last_seqs: dict[str, int]
    traces: dict[str, list[str]] = {}


async def begin(connection: Connection | asyncpg.Pool, epoch: str, offsets: Mapping[int, int], *, live: bool) -> None:
    """Partitions that the epoch has not begun begin at these offsets, if it is live (or is not, as `live` says)."""
    await connection.execute(_SQL["begin"], epoch, list(offsets), list(offsets.values()), live)


async def advance(connection: Connection, epoch: str, spans: Mapping[int, Span]) -> bool:
    """Compare-and-set of every partition's position; False when one of them was not where it had to be: others may have been
    moved all the same, so the transaction has to be rolled back.
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
    """The next offset of each partition that the epoch has begun."""
    return {row[0]: row[1] for row in await connection.fetch(_SQL["positions"], epoch, list(partitions))}


async def read_states(connection: Connection, batch_ids: Collection[str]) -> dict[str, BatchState]:
    """The states of those batches that are known."""
    if not batch_ids:
        return {}
    states = (decode_state(row[0]) for row in await connection.fetch(_SQL["states"], list(batch_ids)))
    return {state.batch_id: state for state in states}


async def write(connection: Connection, epoch: str, folded: Folded) -> dict[str, int]:
    """Writes all of it; the last seq of each collection that has new messages."""
    if not folded.changes:
        return {}
    await write_rows(connection, folded.changes.values())
    await write_requests(connection, folded)
    last_seqs = await append(connection, epoch, folded.messages)
    await count_files(connection, epoch, folded)
    return last_seqs


async def write_rows(connection: Connection, changes: Collection[Change]) -> None:
    batches = [(*batch_row(change.after), encode_state(change.after)) for change in changes]
    await connection.execute(_SQL["write_batches"], *_columns(batches))
    files = [(*row, searchable(row.original_filename)) for change in changes for row in changed_files(*change)]
    if files:
        await connection.execute(_SQL["write_files"], *_columns(files))


async def append(connection: Connection, epoch: str, messages: Sequence[AnyFeedMessage]) -> dict[str, int]:
    """Gives each message its seq and appends it; the last seq per collection."""
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
    """The messages with their seq, contiguous within each collection from `first` on."""
    following = dict(first)
    numbered = []
    for message in messages:
        seq = following[message.collection_id]
        following[message.collection_id] = seq + 1
        numbered.append(structs.replace(message, seq=seq))
    return numbered


async def notify(connection: Connection, heads: Heads | None) -> None:
    """Tells every notifier, when the transaction commits, where something is new; None: look everywhere. Without traces where
    they would make it too long.
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
