"""What is done behind the end of a batch, and in which order."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.processor.test_ownership import CANCELLED, created, owning
from tests.virtual import VirtualLoop, run

from quire_processor.closing import Closing
from quire_runtime.storage import StorageUnavailable

OUTAGE = 30  # attempts


class Outside:
    """Tables and storage; both are away at first."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refused = {"artefacts": 3, "rows": OUTAGE, "remembered": 0}
        self.all = asyncio.Event()

    async def artefacts_after_batch(self, *_: Any) -> None:
        self._do("artefacts", StorageUnavailable("nobody answers"))

    async def rows_after_batch(self, *_: Any) -> None:
        self._do("rows", ConnectionRefusedError("nobody answers"))

    async def remember(self, *_: Any) -> None:
        self._do("remembered", ConnectionRefusedError("nobody answers"))
        self.all.set()

    def _do(self, what: str, error: Exception) -> None:
        if self.refused[what]:
            self.refused[what] -= 1
            raise error
        self.done.append(what)


def test_an_end_is_remembered_only_when_the_rows_of_what_has_no_result_are_gone() -> None:
    loop = VirtualLoop()
    asyncio.set_event_loop(None)

    async def close() -> list[str]:
        outside: Any = Outside()
        ownership = owning(created(), CANCELLED, end=2)
        ownership.confirm(dict.fromkeys(ownership.unconfirmed()))
        [batch_id] = ownership.batches(0)
        entry = ownership.entry(batch_id)
        assert entry is not None
        closing = Closing(outside, outside, ownership, {})
        closing.note(entry)
        closes = asyncio.create_task(closing.run())
        await outside.all.wait()
        await asyncio.sleep(0.1)
        closes.cancel()
        assert ownership.marks() == {0: 2}
        return list(outside.done)

    assert run(loop, close()) == ["artefacts", "rows", "remembered"]
