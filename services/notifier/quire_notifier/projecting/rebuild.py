"""`quire rebuild`: folds the whole log into a new epoch beside the live one, then switches to it (docs/design.md, "Epochs").

The switch is one transaction. Queries, feed and projection continue during the rebuild. An interrupted rebuild leaves the live
epoch unchanged, and the next rebuild removes its remains.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import asyncpg

from quire_notifier.projecting import tables
from quire_notifier.projecting.epochs import SCHEMA, Connection
from quire_notifier.projecting.fold import Folded, fold
from quire_notifier.projecting.tables import PolledRange
from quire_runtime.errors import CannotServe
from quire_runtime.handler import LogRecord
from quire_runtime.logs import get_logger
from quire_runtime.migrations import grant
from quire_runtime.scan import LogScan
from quire_runtime.statements import statements
from quire_schemas.states import FOLD_VERSION, BatchState

log = get_logger(__name__)
_SQL = statements("quire_notifier.projecting", "rebuild")

BESIDE = f"{SCHEMA}_rebuild"
SEARCH_PATH = f"{BESIDE}, {SCHEMA}"
AT_ONCE = 2_000
"""Records folded in one transaction."""
CLOSE_ENOUGH = 2_000
"""Records that may be left for the switch itself, during which nobody projects. They take about half a second."""
REMOVED_AT_ONCE = 10_000
AS_OWNER = "Run it as the role that made the tables, with QUIRE_PREPARE_GRANT_TO as there"
MOST_STATES = 5_000

Told = Callable[[int, int], None]


class Busy(Exception):
    """Another rebuild is running on this database. Wait until it ends."""


class WouldLose(CannotServe):
    """The live tables hold more than the log: records were removed, or it is another log. Nothing was changed.

    Correct QUIRE_KAFKA_TOPIC, or lose them with `--force`.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}. Nothing was changed. Correct QUIRE_KAFKA_TOPIC; with --force, what they hold more is lost")


class Rebuilt(NamedTuple):
    """The new live epoch. `cut` lists the partitions whose oldest records are no longer in the log."""

    epoch: str
    records: int
    cut: list[int]


async def rebuild(
    connection: asyncpg.Connection, scan: LogScan, told: Told, grant_to: Sequence[str] = (), *, force: bool = False
) -> Rebuilt:
    """Builds a new epoch and makes it live. `connection` must be used for nothing else. `told(done, total)` is called from time
    to time with numbers of records; `grant_to` names the roles that use the tables. Raises Busy, LogUnavailable, and WouldLose
    unless `force` is set.
    """
    if not await connection.fetchval(_SQL["lock"]):
        raise Busy("another rebuild is running on this database. Wait for its end")
    await connection.execute(f"SET search_path = {SEARCH_PATH}; SET lock_timeout = '30s'")
    await _begin_anew(connection)
    epoch = await connection.fetchval(_SQL["begin"], FOLD_VERSION)
    fold_over = _Refold(connection, scan, epoch)
    begins = await scan.begins()
    cut = sorted(partition for partition, offset in begins.items() if offset)
    await tables.begin(connection, epoch, begins, live=False)
    await fold_over.up_to(await _nearly(fold_over, begins, told))
    async with connection.transaction():
        await connection.fetch(_SQL["hold"])
        await fold_over.up_to(ends := await scan.ends())
        if not force:
            await _require_all(connection, cut, ends)
        await connection.execute(_SQL["swap"])
        await grant(connection, SCHEMA, grant_to)
        await connection.execute(_SQL["retire"])
        await connection.execute(_SQL["enthrone"], epoch)
        await tables.notify(connection, None)
    await connection.execute(f"DROP SCHEMA {BESIDE}")
    await _clear_up(connection, epoch)
    return Rebuilt(epoch, fold_over.records, cut)


async def _require_all(connection: Connection, cut: Collection[int], ends: Mapping[int, int]) -> None:
    """Raises WouldLose when the live tables exist and have batches, or newer events of batches, that the new tables lack."""
    if not await connection.fetchval(_SQL["has_live"]):
        return
    if lost := await connection.fetch(_SQL["lost"]):
        gone = f"; the oldest records of partitions {', '.join(map(str, cut))} are gone" if cut else ""
        raise WouldLose(f"this log does not know {len(lost)} batches of the live tables, {lost[0]['batch_id']} among them{gone}")
    for partition, folded in await connection.fetch(_SQL["folded"]):
        if folded > (end := ends.get(partition, 0)):
            raise WouldLose(f"partition {partition} of this log ends at {end}, and the live tables were folded up to {folded}")


async def _begin_anew(connection: Connection) -> None:
    """Removes the remains of an interrupted rebuild, and creates empty tables."""
    live = await connection.fetchval("SELECT id::text FROM epoch WHERE live")
    await _clear_up(connection, live or "00000000-0000-0000-0000-000000000000")
    async with connection.transaction():
        try:
            await connection.execute(f"DROP SCHEMA IF EXISTS {BESIDE} CASCADE; CREATE SCHEMA {BESIDE}")
        except asyncpg.InsufficientPrivilegeError as error:
            raise CannotServe(f"quire rebuild: {error}. {AS_OWNER}") from error
        await connection.execute(_SQL["templates"])


async def _nearly(fold_over: "_Refold", begins: Mapping[int, int], told: Told) -> Mapping[int, int]:
    """Folds the log until few records are left. Returns the end offsets of the log at that time."""
    fold_over.next = dict(begins)
    while True:
        ends = await fold_over.ends()
        left = sum(ends[partition] - offset for partition, offset in fold_over.next.items())
        if left <= CLOSE_ENOUGH:
            return ends
        await fold_over.up_to(ends, lambda done, left=left: told(fold_over.records, fold_over.records - done + left))  # type: ignore[misc]


async def _clear_up(connection: Connection, keep: str) -> None:
    """Removes every epoch except `keep` and the live one, in small steps."""
    for row in await connection.fetch(_SQL["left"], keep):
        epoch = row["id"]
        while (await connection.execute(_SQL["remove_feed"], epoch, REMOVED_AT_ONCE)) != "DELETE 0":
            pass
        await connection.execute(_SQL["remove_epoch"], epoch)
        await connection.execute(_SQL["forget"], epoch)


class _Refold:
    """Folds the log into the tables of one epoch."""

    def __init__(self, connection: asyncpg.Connection, scan: LogScan, epoch: str) -> None:
        self._connection = connection
        self._scan = scan
        self._epoch = epoch
        self._states: dict[str, BatchState] = {}
        self.next: dict[int, int] = {}
        self.records = 0

    async def ends(self) -> dict[int, int]:
        return await self._scan.ends()

    async def up_to(self, ends: Mapping[int, int], told: Callable[[int], None] = lambda _: None) -> None:
        """Folds all records before the offsets `ends`. `told` is called with the number of records folded so far."""
        done = 0
        async for records in self._scan.read(self.next, ends, at_once=AT_ONCE):
            async with self._connection.transaction():
                await self._write(records)
            done += len(records)
            told(done)
        behind = {p: PolledRange(self.next[p], end) for p, end in ends.items() if end > self.next[p]}
        if behind:  # offsets may have gaps at the end
            await tables.advance(self._connection, self._epoch, behind)
            self.next |= {p: span.next for p, span in behind.items()}

    async def _write(self, records: list[LogRecord]) -> None:
        following = {record.partition: record.offset + 1 for record in records}
        await tables.advance(
            self._connection, self._epoch, {p: PolledRange(self.next[p], offset) for p, offset in following.items()}
        )
        folded = await self._folded(records)
        await tables.write(self._connection, self._epoch, folded)
        self._remember(folded)
        self.next |= following
        self.records += len(records)

    async def _folded(self, records: list[LogRecord]) -> Folded:
        events = [(record.event, record.offset) for record in records if record.event is not None]
        unknown = {event.batch_id for event, _ in events} - self._states.keys()
        return fold(events, self._states | await tables.read_states(self._connection, unknown))

    def _remember(self, folded: Folded) -> None:
        self._states |= {batch_id: change.after for batch_id, change in folded.changes.items()}
        for batch_id in [batch_id for batch_id, state in self._states.items() if state.terminal]:
            del self._states[batch_id]
        for batch_id in list(self._states)[: max(0, len(self._states) - MOST_STATES)]:
            del self._states[batch_id]
