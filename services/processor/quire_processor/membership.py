"""Talks to the consumer group: asks whether the partitions are still ours, and commits offsets."""

import asyncio
from collections.abc import Callable, Mapping

from quire_runtime.clock import Clock
from quire_runtime.consumer import LogConsumer, NotAMember
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger

PROOF_HOLDS = 1.0  # seconds for which a heartbeat of the group proves that the partitions are still ours
_COMMIT_EVERY = 1.0  # seconds
log = get_logger(__name__)


class Membership:
    """This processor's membership of the consumer group.

    `marks` returns for each partition the offset below which everything is finished.
    """

    def __init__(self, consumer: LogConsumer, clock: Clock, marks: Callable[[], dict[int, int]]) -> None:
        self._consumer = consumer
        self._clock = clock
        self._marks = marks
        self._proved = float("-inf")

    async def holds(self, *, afresh: bool) -> bool:
        """Returns whether the group confirms that our partitions are still ours.

        A processor that has lost its partitions must not start runs. A confirmation holds for PROOF_HOLDS seconds; with
        `afresh` the group is asked in any case.
        """
        if not afresh and self._clock.monotonic() - self._proved < PROOF_HOLDS:
            return True
        try:
            await self._consumer.confirm_membership()
        except (NotAMember, LogUnavailable) as error:
            log.info("membership unconfirmed", error=str(error))
            return False
        self._proved = self._clock.monotonic()
        return True

    async def committing(self) -> None:
        """Commits the marks once a second where they have changed, until cancelled."""
        committed: Mapping[int, int] = {}
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            marks = self._marks()
            if marks != committed and await self._commit(marks):
                committed = marks

    async def commit(self) -> None:
        """Commits the marks once, now."""
        await self._commit(self._marks())

    async def _commit(self, marks: Mapping[int, int]) -> bool:
        try:
            await self._consumer.commit(marks)
        except (NotAMember, LogUnavailable) as error:
            log.info("commit refused", error=str(error))
            return False
        return True
