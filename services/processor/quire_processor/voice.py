"""Sends the events of a run to the log, again with the same event id until they have been folded (docs/design.md, "Runs")."""

import asyncio
from collections.abc import Awaitable, Callable

from quire_runtime.clock import Clock
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.publisher import Publisher
from quire_runtime.retry import retrying
from quire_schemas.events import Event, EventData, event_of
from quire_schemas.states import BatchState

RESEND_AFTER = 10.0  # seconds after which an acknowledged event that has not been folded is sent again
log = get_logger(__name__)


class Voice:
    """Sends the events of one run of a batch. `state` is the batch's state, as folded last."""

    def __init__(
        self, state: BatchState, run_id: str, *, worker: str, publisher: Publisher, clock: Clock, traceparent: str | None
    ) -> None:
        self.state = state
        self.run_id = run_id
        self.unheard: set[str] = set()
        """Ids of events that wait because the log is away."""
        self._worker = worker
        self._publisher = publisher
        self._clock = clock
        self._traceparent = traceparent
        self._changed = asyncio.Event()

    def observe(self, state: BatchState) -> None:
        """Takes in a folded state."""
        self.state = state
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changed(self) -> None:
        """Waits until the next state is folded."""
        await self._changed.wait()

    async def insist(self, data: EventData, event_id: str, folded: Callable[[], bool]) -> None:
        """Sends an event until it has been folded. The end of the run cancels this."""
        event = self._event(data, event_id)
        await self.until(folded, lambda: self._publish(event))

    async def until(self, folded: Callable[[], bool], say: Callable[[], Awaitable[None]]) -> None:
        while not folded():
            await say()
            try:
                async with asyncio.timeout(RESEND_AFTER):
                    while not folded():
                        await self._changed.wait()
            except TimeoutError:
                log.warning("event said again", batch_id=self.state.batch_id, run_id=self.run_id)

    async def say(self, data: EventData, event_id: str) -> None:
        """Sends an event once. Returns when the log has it, however long the log is away."""
        await self._publish(self._event(data, event_id))

    async def try_to_say(self, data: EventData, event_id: str, seconds: float) -> None:
        """Sends an event once. Gives up after `seconds`, or where the log is away."""
        try:
            async with asyncio.timeout(seconds):
                await self._publisher.publish(self._event(data, event_id))
        except (TimeoutError, LogUnavailable) as error:
            log.warning("event unsaid", batch_id=self.state.batch_id, run_id=self.run_id, error=str(error))

    async def _publish(self, event: Event) -> None:
        def waiting(error: Exception, attempt: int) -> None:
            self.unheard.add(event.id)
            if attempt == 1:
                log.warning("log away", batch_id=self.state.batch_id, type=event.type, error=str(error))

        try:
            await retrying(
                lambda: self._publisher.publish(event),
                transient=lambda error: isinstance(error, LogUnavailable),
                give_up_after=None,
                on_retry=waiting,
            )
        finally:
            self.unheard.discard(event.id)

    def _event(self, data: EventData, event_id: str) -> Event:
        return event_of(
            data,
            id=event_id,
            batch_id=self.state.batch_id,
            collection_id=self.state.collection_id,
            source=f"/quire/processor/{self._worker}",
            time=self._clock.now(),
            traceparent=self._traceparent,
        )
