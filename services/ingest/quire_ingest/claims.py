"""Manifests and request records in the object store: the first one written counts, whoever wrote it."""

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
"""Seconds for an object that another request is just writing to show."""


class Claims:
    """Writes a thing if it is not there, and hands out the one that is there."""

    def __init__(self, store: ObjectStore, patience: float) -> None:
        """`patience`: seconds to try again while the store is away."""
        self._store = store
        self._patience = patience

    async def manifest(self, mine: Manifest) -> Manifest:
        """The manifest of this batch: mine, or that of an earlier request. Raises StorageUnavailable."""
        return await self._first(mine.key, mine, Manifest)

    async def record(self, mine: RequestRecord) -> RequestRecord:
        """The record of this request: mine, or an earlier one. Raises StorageUnavailable."""
        return await self._first(record_key(mine.request_id), mine, RequestRecord)

    async def known_record(self, request_id: str) -> RequestRecord | None:
        """Raises StorageUnavailable."""
        try:
            return await self._patiently(lambda: self._read(record_key(request_id), RequestRecord))
        except ObjectMissing:
            return None

    async def delete(self, keys: list[str]) -> None:
        """Raises StorageUnavailable."""
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
