"""Computes and writes what a poll adds to the sums over requests and collections, and to the queue of texts to be indexed.

The sums do not depend on how the log is cut into polls: numbers are differences between two states of a batch, and times are
those of events. Everything here runs in the caller's transaction.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from quire_notifier.projecting.epochs import Connection
from quire_notifier.projecting.fold import Change, Folded
from quire_runtime.statements import statements
from quire_schemas.events import STANDINGS, STATUSES
from quire_schemas.messages import BatchStartedMessage, Counts
from quire_schemas.states import BatchState

_SQL = statements("quire_notifier.projecting", "requests")
_FILES = slice(len(STATUSES) + 2, len(STATUSES) + 2 + len(STANDINGS))
"""The places of the numbers of files by standing in the list that `_tally` returns."""


class Added(NamedTuple):
    """What a poll adds to one request: the columns of `request`. `name` is the request's name or, without one, the name of its
    first folder or file.
    """

    request_id: str
    collection_id: str
    name: str
    created_at: datetime
    first_started_at: datetime | None
    last_ended_at: datetime | None
    numbers: Sequence[int]


async def write_requests(connection: Connection, folded: Folded) -> None:
    """Adds to the sums over requests, and queues new texts for indexing."""
    rows = [(*row[:-1], *row.numbers) for row in added(folded)]
    await connection.execute(_SQL["add"], *zip(*rows, strict=True))
    if texts := list(_new_texts(folded.changes.values())):
        await connection.execute(_SQL["queue"], *zip(*texts, strict=True))


async def count_files(connection: Connection, epoch: str, folded: Folded) -> None:
    """Adds to the sums over collections. The caller must have inserted and locked the rows of these collections."""
    sums: dict[str, Sequence[int]] = {}
    for row in added(folded):
        files = row.numbers[_FILES]
        sums[row.collection_id] = _sum(sums.get(row.collection_id, [0] * len(files)), files)
    if changed := [(name, *files) for name, files in sums.items() if any(files)]:
        await connection.execute(_SQL["count"], epoch, *zip(*changed, strict=True))


async def sum_anew(connection: Connection) -> None:
    """Computes all sums again, and queues all texts, from the tables of an epoch that an older version has folded."""
    for name in ("clear", "sum_requests", "sum_collections", "queue_all"):
        await connection.execute(_SQL[name])


def added(folded: Folded) -> list[Added]:
    """Returns one row for each request that has a batch among the changes."""
    starts, ends = _times(folded)
    rows: dict[tuple[str, str], Added] = {}
    for batch_id, (before, after) in folded.changes.items():
        key = after.request_id, after.collection_id
        start, end = starts.get(batch_id), ends.get(batch_id)
        row = Added(*key, name_of(after), after.created_at, start, end, _difference(before, after))
        rows[key] = row if key not in rows else _both(rows[key], row)
    return list(rows.values())


def name_of(state: BatchState) -> str:
    """Returns the request's name. Without one, returns the top folder or the filename of the batch's first file."""
    first = next(iter(state.files.values()))
    return state.request_name or (first.path.partition("/")[0] if first.path else first.filename)


def _times(folded: Folded) -> tuple[Mapping[str, datetime], Mapping[str, datetime]]:
    """Returns two mappings by batch id: the first start and the last end in this poll."""
    starts: dict[str, datetime] = {}
    ends: dict[str, datetime] = {}
    for message in folded.messages:
        if isinstance(message, BatchStartedMessage):
            starts[message.batch_id] = min(message.at, starts.get(message.batch_id, message.at))
        elif isinstance(message, Counts):
            ends[message.batch_id] = max(message.at, ends.get(message.batch_id, message.at))
    return starts, ends


def _both(one: Added, other: Added) -> Added:
    return Added(
        one.request_id,
        one.collection_id,
        min((one.created_at, one.name), (other.created_at, other.name))[1],
        min(one.created_at, other.created_at),
        min(filter(None, (one.first_started_at, other.first_started_at)), default=None),
        max(filter(None, (one.last_ended_at, other.last_ended_at)), default=None),
        _sum(one.numbers, other.numbers),
    )


def _difference(before: BatchState | None, after: BatchState) -> Sequence[int]:
    numbers = _tally(after)
    return numbers if before is None else _sum(numbers, [-number for number in _tally(before)])


def _tally(state: BatchState) -> list[int]:
    """Returns the numbers of batches in total and by status, of files in total and by standing, of bytes, and of pages."""
    files = state.files.values()
    standings = [file.standing for file in files]
    return [
        1,
        *(int(state.status == status) for status in STATUSES),
        len(standings),
        *(standings.count(standing) for standing in STANDINGS),
        sum(file.size for file in files),
        sum(file.page_count or 0 for file in files if file.standing == "processed"),
    ]


def _sum(some: Iterable[int], others: Iterable[int]) -> list[int]:
    return [one + other for one, other in zip(some, others, strict=True)]


def _new_texts(changes: Collection[Change]) -> Iterator[tuple[str, str, str]]:
    """Yields collection, batch and key of each text that the batch did not have before."""
    for before, after in changes:
        known = {} if before is None else before.files
        for file_id, file in after.files.items():
            earlier = known.get(file_id)
            if file.text_key is not None and (earlier is None or earlier.text_key != file.text_key):
                yield after.collection_id, after.batch_id, file.text_key
