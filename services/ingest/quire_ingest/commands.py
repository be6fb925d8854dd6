"""Cancels and retries of one batch: checks the state of the batch, and sends the event with the request."""

from msgspec import Struct

from quire_ingest.records import SOURCE
from quire_ingest.standings import Standings
from quire_runtime.auth import Forbidden, Principal
from quire_runtime.clock import Clock
from quire_runtime.http import Problem
from quire_runtime.publisher import Publisher
from quire_schemas.asked import Cancel, Retry
from quire_schemas.batch import requeued
from quire_schemas.events import BatchCancelRequested, BatchRetryRequested, event_of
from quire_schemas.fields import MAX_REASON_BYTES
from quire_schemas.ids import cancel_id, retry_id
from quire_schemas.retry import retry_requested
from quire_schemas.states import BatchState
from quire_schemas.text import scrub, shorten
from quire_schemas.views import CommandAccepted

MAX_SUBJECT_BYTES = 255


class Caller(Struct, frozen=True, kw_only=True):
    """The client that sends a command. `authorization` is the value of the header as it came."""

    principal: Principal
    authorization: str | None
    traceparent: str | None

    @property
    def name(self) -> str:
        """The name of the client in the event."""
        return shorten(scrub(self.principal.subject), MAX_SUBJECT_BYTES)


class Commands:
    """Appends commands to the log, if their batch is in a state for them.

    Raises Problem; and LogUnavailable, in which case the command may have been appended.
    """

    def __init__(self, standings: Standings, publisher: Publisher, clock: Clock) -> None:
        self._standings = standings
        self._publisher = publisher
        self._clock = clock

    async def cancel(self, batch_id: str, caller: Caller, body: Cancel) -> CommandAccepted:
        return await self.cancel_known(await self._state(batch_id, caller), caller, body)

    async def cancel_known(self, state: BatchState, caller: Caller, body: Cancel) -> CommandAccepted:
        """Cancels a batch whose collection the caller may write to."""
        event_id = cancel_id(state.batch_id, state.generation)
        await self._append(state, caller, event_id, cancel_requested(state, caller.name, body))
        return CommandAccepted(batch_id=state.batch_id, event_id=event_id, generation=state.generation)

    async def retry(self, batch_id: str, caller: Caller, body: Retry) -> CommandAccepted:
        return await self.retry_known(await self._state(batch_id, caller), caller, body)

    async def retry_known(self, state: BatchState, caller: Caller, body: Retry) -> CommandAccepted:
        """Retries a batch whose collection the caller may write to."""
        wanted = retry_wanted(state, caller.name, body)
        event_id = retry_id(state.batch_id, state.generation, force=wanted.force, file_ids=wanted.file_ids)
        await self._append(state, caller, event_id, wanted)
        return CommandAccepted(batch_id=state.batch_id, event_id=event_id, generation=state.generation + 1)

    async def _state(self, batch_id: str, caller: Caller) -> BatchState:
        if not caller.principal.can_write:
            raise Forbidden("the token lacks the scope quire:write")
        state = await self._standings.of(batch_id, caller.principal.subject, caller.authorization)
        if not caller.principal.may_write(state.collection_id):
            raise Problem(404, "not_found", "There is no such batch.")
        return state

    async def _append(
        self, state: BatchState, caller: Caller, event_id: str, data: BatchCancelRequested | BatchRetryRequested
    ) -> None:
        event = event_of(
            data,
            id=event_id,
            batch_id=state.batch_id,
            collection_id=state.collection_id,
            source=SOURCE,
            time=self._clock.now(),
            traceparent=caller.traceparent,
        )
        _, offset = await self._publisher.publish(event)
        self._standings.appended(state.batch_id, caller.principal.subject, offset)


def cancel_requested(state: BatchState, by: str, body: Cancel) -> BatchCancelRequested:
    """Returns the event of a cancel. Raises Problem 409 where the batch has ended."""
    if state.terminal:
        raise _refused(state, "batch_ended", f"The batch has ended: it is {state.status}.")
    reason = shorten(scrub(body.reason, keep_lines=True), MAX_REASON_BYTES) if body.reason else None
    return BatchCancelRequested(generation=state.generation, by=by, reason=reason)


def retry_wanted(state: BatchState, by: str, body: Retry) -> BatchRetryRequested:
    """Returns the event of a retry. Raises Problem 409 where the batch is in no state for it, 422 where it has no such files."""
    named = None if body.file_ids is None else tuple(file_id.lower() for file_id in body.file_ids)
    strangers = [file_id for file_id in named or () if file_id not in state.files]
    if strangers:
        detail = f"The batch has no file {', '.join(strangers)[:500]}."
        raise Problem(422, "unknown_files", detail, file_ids=strangers)
    if not state.terminal and not body.force:
        raise _refused(state, "batch_not_ended", f"The batch is {state.status}. Wait for its end, cancel it, or use force.")
    if state.terminal and not requeued(state, named):
        raise _refused(state, "nothing_to_retry", "None of these files failed or was cancelled: there is nothing to do again.")
    return retry_requested(state, force=not state.terminal, file_ids=named, by=by)


def _refused(state: BatchState, code: str, detail: str) -> Problem:
    return Problem(409, code, detail, batch_status=state.status, generation=state.generation)
