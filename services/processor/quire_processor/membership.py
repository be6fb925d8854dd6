"""What the consumer group is told, and asked: whether the partitions are still ours, and how far we are."""

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
    """`marks` gives, per partition, the offset below which everything is finished."""

    def __init__(self, consumer: LogConsumer, clock: Clock, marks: Callable[[], dict[int, int]]) -> None:
        self._consumer = consumer
        self._clock = clock
        self._marks = marks
        self._proved = float("-inf")

    async def holds(self, *, afresh: bool) -> bool:
        """Whether the group says that our partitions are ours: one who has lost them must not answer for them."""
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
        """Once a second, for ever."""
        committed: Mapping[int, int] = {}
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            marks = self._marks()
            if marks != committed and await self._commit(marks):
                committed = marks

    async def commit(self) -> None:
        """Now, once."""
        await self._commit(self._marks())

    async def _commit(self, marks: Mapping[int, int]) -> bool:
        try:
            await self._consumer.commit(marks)
        except (NotAMember, LogUnavailable) as error:
            log.info("commit refused", error=str(error))
            return False
        return True
