"""Requests at once under one Idempotency-Key, over a store that does not keep the first of two conditional puts."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO

from tests.fakes.store import Store
from tests.ingest.test_model import World, files_of
from tests.virtual import VirtualLoop, run

from quire_runtime.storage import StorageUnavailable
from quire_schemas.views import Accepted


class Interrupted(Store):
    """Does the first put of a manifest, then `meanwhile`, and then says that it is away."""

    meanwhile: Callable[[str], Awaitable[None]] | None = None

    async def put(self, key: str, body: bytes | Path | IO[bytes], content_type: str = "", *, if_none_match: bool = False) -> None:
        await super().put(key, body, content_type, if_none_match=if_none_match)
        if key.startswith("manifests/") and (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile(key)
            raise StorageUnavailable("away")


def test_files_of_what_runs_stay_though_another_request_has_put_its_manifest_over_it() -> None:
    loop, files = VirtualLoop(), files_of("a", [3])
    store = Interrupted(random.Random(0), conditional=False)  # noqa: S311 -- repeatable on purpose
    world = World(loop, 0, store=store)

    async def two_more(key: str) -> None:
        """One publishes what the manifest says; one that has found none before puts its own over it."""
        assert isinstance(await world.submit(files), Accepted)
        [created] = world.batches().values()
        store.objects[key] = store.objects[key].replace(created.files[0].object_key.encode(), b"originals/of-another/0.pdf")

    store.meanwhile = two_more
    assert isinstance(run(loop, world.submit(files)), Accepted)
    world.check_objects()
