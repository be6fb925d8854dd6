"""Writes manifests and request records to the object store. The first one written counts, whichever request wrote it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from quire_ingest.records import Manifest, RequestRecord
from quire_runtime.retry import retrying
from quire_runtime.storage import AlreadyThere, ObjectMissing, ObjectStore, is_away
from quire_schemas.object_keys import record_key

T = TypeVar("T", Manifest, RequestRecord)
R = TypeVar("R")

_JSON = "application/json"
_UNTIL_VISIBLE = 5.0
"""Seconds to wait for an object that another request is just writing."""


class Claims:
    """Writes a manifest or a record if there is none yet, and returns the one that is there."""

    def __init__(self, store: ObjectStore, patience: float) -> None:
        """`patience` is the time in seconds to try again while the store is away."""
        self._store = store
        self._patience = patience

    @property
    def first_stays(self) -> bool:
        """Whether the first manifest or record stays when two requests write it at the same time."""
        return self._store.conditional

    async def manifest(self, mine: Manifest) -> Manifest:
        """Writes the manifest of a batch.

        Returns the one that counts: `mine`, or an earlier request's. Raises StorageUnavailable.
        """
        return await self._first(mine.key, mine, Manifest)

    async def record(self, mine: RequestRecord) -> RequestRecord:
        """Writes the record of a request. Returns the one that counts: `mine`, or an earlier one. Raises StorageUnavailable."""
        return await self._first(record_key(mine.request_id), mine, RequestRecord)

    async def known_record(self, request_id: str) -> RequestRecord | None:
        """Returns the record of a request; None where there is none. Raises StorageUnavailable."""
        try:
            return await self._patiently(lambda: self._read(record_key(request_id), RequestRecord))
        except ObjectMissing:
            return None

    async def delete(self, keys: list[str]) -> None:
        """Deletes objects. Raises StorageUnavailable."""
        await self._patiently(lambda: self._store.delete_many(keys))

    async def _first(self, key: str, mine: T, kind: type[T]) -> T:
        data = msgspec.json.encode(mine)

        async def put_or_read() -> T:
            try:
                await self._store.put(key, data, _JSON, if_none_match=True)
            except AlreadyThere:
                return await self._read(key, kind)
            return mine

        return await retrying(
            put_or_read,
            transient=lambda error: is_away(error) or isinstance(error, ObjectMissing),
            give_up_after=max(self._patience, _UNTIL_VISIBLE),
        )

    async def _read(self, key: str, kind: type[T]) -> T:
        return msgspec.json.decode(await self._store.get(key), type=kind)

    async def _patiently(self, ask: Callable[[], Awaitable[R]]) -> R:
        return await retrying(ask, transient=is_away, give_up_after=self._patience)
