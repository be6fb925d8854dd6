"""`quire sweep`: removes objects that no event names (docs/design.md, "Cleaning up"). Safe while all services run.

The log alone decides which objects stay, so it must be whole. A log that was cut or made anew, or another log, is refused: it
begins after offset 0, lacks a batch that the notifier lists, or a retry of one, or lacks a batch that has artefacts (which are
made only after the batch is in the log). An object that is younger than the grace period is left alone: it may belong to an
upload whose event is still to come. An old manifest without an event is removed first, and the originals that it names by the
next sweep: so a repeated request that is just being answered from the manifest loses nothing.
"""

import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from quire_ingest.records import Manifest
from quire_runtime.errors import CannotServe
from quire_runtime.logs import get_logger
from quire_runtime.scan import LogScan
from quire_runtime.storage import DELETE_AT_ONCE, ObjectInfo, ObjectMissing, ObjectStore
from quire_schemas.batch import evolve
from quire_schemas.events import Event
from quire_schemas.object_keys import ARTEFACTS, MANIFESTS, ORIGINALS, batch_of_artefact, batch_of_manifest
from quire_schemas.states import BatchState
from quire_schemas.stored import decode_state, encode_state

log = get_logger(__name__)

CLOCKS_DIFFER = timedelta(seconds=10)
"""The time by which the store's clock may be ahead of ours."""


class LogNotWhole(CannotServe):
    """The log lacks records that it must have, so it cannot decide what is removed.

    Look at QUIRE_KAFKA_TOPIC and at the topic's retention.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: this log was cut, made anew, or is not the one of this bucket, and what it does not name would be taken "
            "for garbage. Correct QUIRE_KAFKA_TOPIC or QUIRE_S3_BUCKET; with --partial-log, what it does not name is removed"
        )


class Swept(Struct, kw_only=True):
    """The numbers of a sweep: objects and bytes that were removed (or would be), and objects that were looked at."""

    originals: int = 0
    artefacts: int = 0
    manifests: int = 0
    bytes: int = 0
    looked_at: int = 0


class Named:
    """The objects that the log names: the originals of all batches, and the artefacts of processed files in ended batches."""

    def __init__(self) -> None:
        self.originals: set[str] = set()
        self._open: dict[str, BatchState] = {}
        self._ended: dict[str, bytes] = {}  # compressed, as a million states have to fit

    def take(self, event: Event, offset: int) -> None:
        """Takes in the next event of a batch."""
        before = self.state(event.batch_id)
        after = evolve(before, event, offset)
        if after is None or after is before:
            return
        if before is None:
            self.originals.update(file.object_key for file in after.files.values())
        self._open.pop(after.batch_id, None)
        self._ended.pop(after.batch_id, None)
        if after.terminal:
            self._ended[after.batch_id] = zlib.compress(encode_state(after), 1)
        else:
            self._open[after.batch_id] = after

    def state(self, batch_id: str) -> BatchState | None:
        ended = self._ended.get(batch_id)
        return self._open.get(batch_id) if ended is None else decode_state(zlib.decompress(ended))

    def knows(self, batch_id: str) -> bool:
        return batch_id in self._open or batch_id in self._ended

    def artefacts(self, batch_id: str) -> frozenset[str] | None:
        """Returns the keys of artefacts that an ended batch names; None while the batch is open, as a run may be writing more.

        A batch that the log does not know names none.
        """
        state = None if batch_id in self._open else self.state(batch_id)
        if state is None:
            return None if batch_id in self._open else frozenset()
        return state.artefact_keys()


async def sweep(store: ObjectStore, scan: LogScan, listed: Mapping[str, int] | None, grace: timedelta, *, dry: bool) -> Swept:
    """Removes the objects that are older than `grace` and that nothing names. With `dry`, objects are only counted.

    `listed` has the batches that the read model had before the log is read, with their generations; where it is None, the log is
    taken as it is, even if it is not whole. Raises LogNotWhole, LogUnavailable and StorageUnavailable.
    """
    before = datetime.now(UTC) - max(grace, CLOCKS_DIFFER)
    swept = Swept()
    named = await _named(scan, whole=listed is not None)
    _require_listed(named, listed or {})
    async for some in _old(store, ARTEFACTS, before, swept):
        if listed is not None:
            _require_known(named, some)
        garbage = [item for item in some if _is_garbage(item.key, named)]
        swept.artefacts += await _remove(store, garbage, swept, dry=dry)
    promised = await _manifests(store, named, before, swept, dry=dry)
    async for some in _old(store, ORIGINALS, before, swept):
        garbage = [item for item in some if item.key not in named.originals and item.key not in promised]
        swept.originals += await _remove(store, garbage, swept, dry=dry)
    return swept


async def _named(scan: LogScan, *, whole: bool) -> Named:
    begins, named = await scan.begins(), Named()
    if whole and (cut := [partition for partition, offset in begins.items() if offset]):
        raise LogNotWhole(f"the oldest records of the partitions {', '.join(map(str, cut))} are gone")
    async for records in scan.read(begins, await scan.ends()):
        for record in records:
            if record.event is not None:
                named.take(record.event, record.offset)
    return named


def _require_listed(named: Named, listed: Mapping[str, int]) -> None:
    for batch_id, generation in listed.items():
        if not named.knows(batch_id):
            raise LogNotWhole(f"the notifier lists the batch {batch_id}, and the log does not know it")
        if generation and ((state := named.state(batch_id)) is None or state.generation < generation):
            raise LogNotWhole(f"the notifier lists a retry of the batch {batch_id}, and the log does not know it")


def _require_known(named: Named, some: Sequence[ObjectInfo]) -> None:
    unknown = {batch_id for item in some if not named.knows(batch_id := batch_of_artefact(item.key))}
    if unknown:
        raise LogNotWhole(f"there are artefacts of the batch {min(unknown)}, and the log does not know it")


def _is_garbage(key: str, named: Named) -> bool:
    """Returns whether an artefact may be removed.

    Where the log is taken as it is, artefacts of a batch that it does not know may be removed, too.
    """
    artefacts = named.artefacts(batch_of_artefact(key))
    return artefacts is not None and key not in artefacts


async def _manifests(store: ObjectStore, named: Named, before: datetime, swept: Swept, *, dry: bool) -> frozenset[str]:
    """Removes old manifests whose batch is not in the log.

    Returns the keys of the originals that are named by manifests without an event, old or not.
    """
    promised: set[str] = set()
    async for item in store.list(MANIFESTS):
        swept.looked_at += 1
        if named.knows(batch_of_manifest(item.key)):
            continue
        try:
            promised |= msgspec.json.decode(await store.get(item.key), type=Manifest).object_keys()
        except ObjectMissing:
            continue
        if item.modified < before:
            swept.manifests += await _remove(store, [item], swept, dry=dry)
    return frozenset(promised)


async def _old(store: ObjectStore, prefix: str, before: datetime, swept: Swept) -> AsyncIterator[list[ObjectInfo]]:
    """Yields the objects that were modified before `before`, some at a time."""
    some: list[ObjectInfo] = []
    async for item in store.list(prefix):
        swept.looked_at += 1
        if item.modified < before:
            some.append(item)
        if len(some) == DELETE_AT_ONCE:
            yield some
            some = []
    yield some


async def _remove(store: ObjectStore, garbage: Sequence[ObjectInfo], swept: Swept, *, dry: bool) -> int:
    if garbage and not dry:
        await store.delete_many([item.key for item in garbage])
    swept.bytes += sum(item.size for item in garbage)
    return len(garbage)
