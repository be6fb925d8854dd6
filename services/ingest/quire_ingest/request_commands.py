"""Cancels and retries a whole request: every batch of it, as if each had been named alone."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from msgspec import UNSET, structs

from quire_ingest.answers import away
from quire_ingest.commands import Caller, Commands
from quire_ingest.standings import Standings
from quire_runtime.auth import Forbidden
from quire_runtime.http import Problem
from quire_runtime.kafka import LogUnavailable
from quire_schemas.asked import Cancel, Retry, RetryFiles
from quire_schemas.states import BatchState
from quire_schemas.views import BatchAnswer, CommandAccepted, RequestCommandAccepted

AT_ONCE = 50
"""Events that are sent at the same time."""
Ask = Callable[[BatchState], Awaitable[CommandAccepted]]


def _wanted(body: RetryFiles, state: BatchState, named: Collection[str]) -> tuple[str, ...] | None:
    """Returns the ids of the batch's files that the retry asks for; None for all files."""
    if body.file_ids is None and body.codes is None:
        return None
    return tuple(
        file.file_id
        for file in state.files.values()
        if (body.file_ids is None or file.file_id in named) and (body.codes is None or file.code in body.codes)
    )


class RequestCommands:
    """Appends a command for each batch of a request that is in a state for it. Raises Problem where no batch is."""

    def __init__(self, standings: Standings, commands: Commands) -> None:
        self._standings = standings
        self._commands = commands

    async def cancel(self, request_id: str, caller: Caller, body: Cancel) -> RequestCommandAccepted:
        async def ask(state: BatchState) -> CommandAccepted:
            return await self._commands.cancel_known(state, caller, body)

        return await self._each(request_id, caller, lambda _state: ask)

    async def retry(self, request_id: str, caller: Caller, body: RetryFiles) -> RequestCommandAccepted:
        named = frozenset(file_id.lower() for file_id in body.file_ids or ())

        def asked(state: BatchState) -> Ask | None:
            wanted = _wanted(body, state, named)
            if wanted == ():
                return None  # the retry is not about this batch
            return lambda state: self._commands.retry_known(state, caller, Retry(file_ids=wanted))

        return await self._each(request_id, caller, asked)

    async def _each(self, request_id: str, caller: Caller, asked: Callable[[BatchState], Ask | None]) -> RequestCommandAccepted:
        if not caller.principal.can_write:
            raise Forbidden("the token lacks the scope quire:write")
        answers: list[BatchAnswer] = []
        async for states in self._standings.of_request(request_id, caller.principal.subject, caller.authorization):
            if states and not caller.principal.may_write(states[0].collection_id):
                raise Problem(404, "not_found", "There is no such upload.")
            waiting = [(state, ask) for state in states if (ask := asked(state)) is not None]
            for start in range(0, len(waiting), AT_ONCE):
                some = waiting[start : start + AT_ONCE]
                answers += await asyncio.gather(*(_answer(state, ask) for state, ask in some))
        if not any(answer.status == 202 for answer in answers):
            raise _refused(request_id, answers)
        return RequestCommandAccepted(request_id=request_id, batches=answers)


async def _answer(state: BatchState, ask: Ask) -> BatchAnswer:
    try:
        await ask(state)
    except LogUnavailable as error:
        return _answer_of(state, away(error))
    except Problem as problem:
        return _answer_of(state, problem)
    return BatchAnswer(batch_id=state.batch_id, status=202, code=UNSET)


def _answer_of(state: BatchState, problem: Problem) -> BatchAnswer:
    return BatchAnswer(batch_id=state.batch_id, status=problem.status, code=problem.code)


_WHY = {
    "batch_ended": "The upload has ended.",
    "batch_not_ended": "The batches concerned have not ended. Wait for their end, or cancel them.",
    "nothing_to_retry": "None of these files failed or was cancelled: there is nothing to do again.",
    "log_unavailable": "The log does not take events now. Send the same again in a while.",
}


def _refused(request_id: str, answers: Collection[BatchAnswer]) -> Problem:
    """Returns the problem that most of the batches have answered. `answers` is empty where the command is about no batch."""
    codes = [str(answer.code) for answer in answers] or ["nothing_to_retry"]
    code = max(sorted(set(codes)), key=codes.count)
    status = max((answer.status for answer in answers if answer.code == code), default=409)
    headers = {"Retry-After": "5"} if status == 503 else None
    batches = [structs.asdict(answer) for answer in answers]
    detail = _WHY.get(code, "No batch of the upload took the command.")
    return Problem(status, code, detail, headers=headers, request_id=request_id, batches=batches)
