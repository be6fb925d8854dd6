"""An object store in memory. tests/integration/test_fakes.py holds it to the real one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from quire_runtime.storage import AlreadyThere, ObjectInfo, ObjectMissing, StorageUnavailable


class Store:
    """`rate` of all calls fail as if the store were away: before they have done anything, or after they have done it. Without
    `conditional`, of two conditional puts at the same time both succeed, and the last one stays.
    """

    def __init__(self, chance: random.Random | None = None, rate: float = 0.0, *, conditional: bool = True) -> None:
        self.chance = chance or random.Random(0)  # noqa: S311 -- repeatable on purpose
        self.rate = rate
        self.conditional = conditional
        self.objects: dict[str, bytes] = {}
        self.deleted: set[str] = set()

    async def put(
        self, key: str, body: bytes | Path | IO[bytes], _content_type: str = "", *, if_none_match: bool = False
    ) -> None:
        data = body if isinstance(body, bytes) else body.read_bytes() if isinstance(body, Path) else body.read()
        await self._pass()
        if if_none_match and key in self.objects:
            raise AlreadyThere(key)
        if if_none_match and not self.conditional:
            await self._pass()
        self.objects[key] = data
        await self._pass()

    async def get(self, key: str) -> bytes:
        await self._pass()
        if key not in self.objects:
            raise ObjectMissing(key)
        return self.objects[key]

    async def delete_many(self, keys: Sequence[str]) -> None:
        await self._pass()
        for key in keys:
            self.objects.pop(key, None)
            self.deleted.add(key)
        await self._pass()

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        await self._pass()
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield ObjectInfo(key, len(self.objects[key]), datetime.now(UTC))

    async def _pass(self) -> None:
        await asyncio.sleep(self.chance.choice((0.0, 0.001, 0.05, 0.4)) if self.rate else 0.0)
        if self.chance.random() < self.rate:
            raise StorageUnavailable("away")
