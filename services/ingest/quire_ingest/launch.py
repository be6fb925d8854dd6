"""Publishes the batches of one request to the log."""

import asyncio
from collections.abc import Sequence

from quire_ingest import metrics
from quire_ingest.answers import away, conflict
from quire_ingest.claims import Claims
from quire_ingest.records import Manifest
from quire_runtime.http import Problem
from quire_runtime.kafka import LogUnavailable
from quire_runtime.publisher import Publisher
from quire_runtime.storage import StorageUnavailable


class Launch:
    """Publishes batches, and records which of them the log has.

    `failure` is the first failure; it does not stop other batches. `named` has the object keys that an event or a manifest
    names, or may name: this request must not delete these objects.
    """

    def __init__(self, publisher: Publisher, claims: Claims) -> None:
        self.failure: Problem | None = None
        self.named: set[str] = set()
        self._publisher = publisher
        self._claims = claims
        self._planned: list[str] = []
        self._sent: dict[str, Manifest] = {}
        self._acknowledged: set[str] = set()

    @property
    def acknowledged(self) -> list[Manifest]:
        """The batches that the log has, in the order of the request."""
        return [self._sent[batch_id] for batch_id in self._planned if batch_id in self._acknowledged]

    @property
    def unknown(self) -> list[Manifest]:
        """The batches that were sent without an acknowledgement: the log may have them."""
        return [self._sent[batch_id] for batch_id in self._planned if batch_id in self._sent.keys() - self._acknowledged]

    async def all(self, manifests: Sequence[Manifest]) -> None:
        """Publishes batches whose files are stored, all at once."""
        self._planned += [manifest.batch_id for manifest in manifests]
        async with asyncio.TaskGroup() as group:
            for manifest in manifests:
                group.create_task(self._publish(manifest))

    async def when_stored(self, mine: Manifest, files: Sequence[asyncio.Task[None]]) -> None:
        """Publishes a batch once its files are stored, as the first request with this batch described it."""
        self._planned.append(mine.batch_id)
        if files:
            await asyncio.wait(files)
        if any(file.cancelled() or file.exception() is not None for file in files):
            return  # the code that stores them reports the failure
        try:
            await self._claimed(mine)
        except StorageUnavailable as error:
            self._fail(away(error))

    async def _claimed(self, mine: Manifest) -> None:
        self.named |= mine.object_keys()  # from here on the manifest may be in the store, whatever the store answers
        theirs = await self._claims.manifest(mine)
        if self._claims.first_stays:  # else a third request may have put its own over `mine`, which a second one has published
            self.named -= mine.object_keys() - theirs.object_keys()
        if theirs.says_the_same(mine):
            await self._publish(theirs)
        else:
            self._fail(conflict())

    async def _publish(self, manifest: Manifest) -> None:
        self.named |= manifest.object_keys()
        self._sent[manifest.batch_id] = manifest
        try:
            await self._publisher.publish(manifest.event())
        except LogUnavailable as error:
            self._fail(away(error))
        else:
            self._acknowledged.add(manifest.batch_id)
            metrics.BATCHES.inc()

    def _fail(self, problem: Problem) -> None:
        self.failure = self.failure or problem
