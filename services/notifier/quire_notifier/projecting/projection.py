"""Projects events into tables and feed. Each poll is one transaction (docs/design.md, "Record in the notifier")."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import asyncpg

from quire_notifier import metrics
from quire_notifier.projecting import measure, tables
from quire_notifier.projecting.epochs import Connection, Epoch, NeedsRebuild, live_epoch
from quire_notifier.projecting.fold import Folded, fold
from quire_notifier.projecting.gathering import Gathering
from quire_notifier.projecting.tables import Heads, PolledRange
from quire_notifier.projecting.traces import Projected, projecting
from quire_runtime.consumer import Handler, LogRecord, SeekTo
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient
from quire_runtime.retry import retrying
from quire_runtime.statements import statements
from quire_schemas.states import BatchState

log = get_logger(__name__)

PATIENCE_SECONDS = 2.0
"""Seconds for which a transaction is tried again before the poll is given back. The consumer can be
stopped only between polls.
"""
MOST_STATES = 2_000
"""The number of batches whose states are kept in memory. A state takes about 10 KB."""
_LIVE = statements("quire_notifier.projecting", "projection")["live"]

BeginOffsets = Callable[[Collection[int]], Awaitable[Mapping[int, int]]]


class _SwitchingError(Exception):
    """Another epoch has just become live. The transaction has to be tried again."""


class _ConflictError(Exception):
    """The stored position is not the one that we remember: another notifier has projected, or one of our commits succeeded
    although its answer was lost.
    """


class Projection(Handler):
    """Projects polls into the live epoch.

    `_states` holds the states of batches in our partitions as of the last commit. They are valid as long as compare-and-set of
    the positions succeeds: any other writer would have moved the position.
    """

    def __init__(self, pool: asyncpg.Pool, begin_offsets: BeginOffsets) -> None:
        """`begin_offsets` returns the oldest offset of each partition in the log."""
        self._pool = pool
        self._begin_offsets = begin_offsets
        self._epoch: str | None = None
        self._next: dict[int, int] = {}
        self._states: dict[str, BatchState] = {}
        self._gathering = Gathering()

    def assigned(self, partitions: frozenset[int]) -> None:
        """Does nothing, because `positions` is called next."""

    def revoked(self, partitions: frozenset[int]) -> None:
        """Does nothing, because compare-and-set detects another writer."""

    async def positions(self, partitions: frozenset[int]) -> Mapping[int, int]:
        """Returns the next offset of each partition. Raises NeedsRebuild."""
        self._forget()
        return await self._placed(partitions)

    async def records(self, records: Sequence[LogRecord]) -> None:
        """Projects a poll. Raises SeekTo when this poll cannot be projected now, NeedsRebuild when no poll can be."""
        spans = self._spans(records)
        try:
            await retrying(
                lambda: self._attempt(records, spans),
                transient=_worth_repeating,
                give_up_after=PATIENCE_SECONDS,
                on_retry=lambda error, attempt: log.warning("projecting again", error=repr(error), attempt=attempt),
                first=0.02,
            )
        except asyncpg.UndefinedTableError as error:
            raise NeedsRebuild(f"a table is lost ({error})") from error
        except Exception as error:
            if not _worth_repeating(error):
                raise
            log.warning("the poll waits for postgres", error=repr(error))
            raise SeekTo({partition: span.first for partition, span in spans.items()}) from error
        self._next |= {partition: span.next for partition, span in spans.items()}
        await self._gathering.rest(len(records))

    async def _attempt(self, records: Sequence[LogRecord], spans: Mapping[int, PolledRange]) -> None:
        try:
            with projecting(records) as projected:
                await self._project(records, spans, projected)
        except _ConflictError:
            metrics.CONFLICTS.inc()
            positions = await self._placed_anew(frozenset(spans))  # only after the rollback: the transaction moved some
            log.info("going on from where the projection stands", positions=positions)
            raise SeekTo(positions) from None

    async def _project(self, records: Sequence[LogRecord], spans: Mapping[int, PolledRange], projected: Projected) -> None:
        started = time.monotonic()
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                epoch = await self._live(connection)
                if epoch.id != self._epoch or not await tables.advance(connection, epoch.id, spans):
                    raise _ConflictError  # noqa: TRY301 -- raising rolls the transaction back
                folded = await self._fold(connection, records)
                last_seqs = await tables.write(connection, epoch.id, folded)
                if last_seqs:
                    await tables.notify(connection, Heads(epoch.id, last_seqs, projected.onward(folded)))
        except BaseException:
            self._forget()
            raise
        self._remember(folded)
        metrics.PROJECTION_SECONDS.observe(time.monotonic() - started)
        measure.projected(records, folded)

    async def _fold(self, connection: Connection, records: Sequence[LogRecord]) -> Folded:
        events = [(record.event, record.offset) for record in records if record.event is not None]
        unknown = {event.batch_id for event, _ in events} - self._states.keys()
        states = self._states | await tables.read_states(connection, unknown) if unknown else self._states
        return fold(events, states)

    async def _placed_anew(self, partitions: frozenset[int]) -> dict[int, int]:
        """Where these stand; in another epoch all that we know of, as none of them stands where it did."""
        known = self._epoch
        positions = await self._placed(partitions)
        return positions if self._epoch == known else await self._placed(frozenset(self._next))

    async def _placed(self, partitions: frozenset[int]) -> dict[int, int]:
        """Returns the position of each partition in the live epoch. A partition that the epoch does not have yet begins with
        the oldest record of the log. Raises NeedsRebuild.
        """
        while True:
            epoch, known = await self._projected(partitions)
            missing = partitions - known.keys()
            if not missing:
                self._epoch = epoch.id
                self._next |= known
                return known
            await tables.begin(self._pool, epoch.id, await self._begin_offsets(missing), live=True)

    async def _live(self, connection: Connection) -> Epoch:
        row = await connection.fetchrow(_LIVE)
        if row is None:
            raise _SwitchingError
        epoch = Epoch(*row)
        epoch.check()
        return epoch

    async def _projected(self, partitions: Collection[int]) -> tuple[Epoch, dict[int, int]]:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            epoch = await live_epoch(connection)
            epoch.check()
            return epoch, await tables.positions(connection, epoch.id, partitions)

    def _spans(self, records: Sequence[LogRecord]) -> dict[int, PolledRange]:
        """Returns the range of each partition. It begins at the position where we left the partition, not at the first record,
        because offsets may have gaps.
        """
        following: dict[int, int] = {}
        for record in records:
            following[record.partition] = record.offset + 1
        return {partition: PolledRange(self._next[partition], offset) for partition, offset in following.items()}

    def _remember(self, folded: Folded) -> None:
        for batch_id, change in folded.changes.items():
            self._states.pop(batch_id, None)
            if not change.after.terminal:
                self._states[batch_id] = change.after
        for batch_id in list(self._states)[: max(0, len(self._states) - MOST_STATES)]:
            del self._states[batch_id]

    def _forget(self) -> None:
        self._states = {}


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, _SwitchingError) or (is_transient(error) and not isinstance(error, asyncio.CancelledError))
