"""Reads the states of batches from the notifier's projection (docs/design.md, "Cancel and retry")."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx
import msgspec
from msgspec import Raw, Struct

from quire_ingest.answers import RETRY_AFTER
from quire_runtime import tracing
from quire_runtime.clock import Clock
from quire_runtime.http import Problem
from quire_schemas.states import BatchState
from quire_schemas.stored import decode_state

ASK_AGAIN_SECONDS = 0.1
LAG_SECONDS = 2.0
"""Seconds for which an outdated answer of the projection is asked for again, before it is taken as it is."""
STATES_AT_ONCE = 100
REMEMBERED = 10_000
_PORTS = {"http": 80, "https": 443}


class _Command(NamedTuple):
    """An appended command: its offset in the batch's partition, and the time (`at`) on the monotonic clock."""

    offset: int
    at: float


class _States(Struct):
    """A page of states, as they are stored, and the cursor of the next page."""

    items: list[Raw]
    next_cursor: str | None


_decode_states = msgspec.json.Decoder(_States).decode


class Standings:
    """Asks the notifier for states, with the caller's own token, so that the notifier decides about access.

    After a 404, or a state from before the caller's last command, the notifier is asked again, for LAG_SECONDS at most.
    """

    def __init__(self, client: httpx.AsyncClient, clock: Clock) -> None:
        """`client` has the notifier as its base URL."""
        self._client = client
        self._clock = clock
        self._commands: OrderedDict[tuple[str, str], _Command] = OrderedDict()

    async def of(self, batch_id: str, subject: str, authorization: str | None) -> BatchState:
        """Returns the state of a batch. Raises Problem: the notifier's own 401, 403 or 404; 503 where it does not answer."""
        after = self._last_offset(batch_id, subject)
        deadline = self._clock.monotonic() + LAG_SECONDS
        while True:
            state = await self._ask(batch_id, authorization)
            late = self._clock.monotonic() >= deadline
            if isinstance(state, BatchState) and (late or state.offset >= after):
                return state
            if isinstance(state, Problem) and (late or state.status != 404):
                raise state
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def of_request(self, request_id: str, subject: str, authorization: str | None) -> AsyncIterator[list[BatchState]]:
        """Yields the states of a request's batches that the notifier knows, some at a time. Raises Problem, as `of` does."""
        cursor: str | None = None
        deadline = self._clock.monotonic() + LAG_SECONDS
        while True:
            page = await self._ask_states(request_id, cursor, authorization)
            if isinstance(page, Problem):
                if cursor is not None or page.status != 404 or self._clock.monotonic() >= deadline:
                    raise page
                await asyncio.sleep(ASK_AGAIN_SECONDS)
                continue
            states = [decode_state(state) for state in page.items]
            yield [
                state
                if state.offset >= self._last_offset(state.batch_id, subject)
                else await self.of(state.batch_id, subject, authorization)
                for state in states
            ]
            if (cursor := page.next_cursor) is None:
                return

    def appended(self, batch_id: str, subject: str, offset: int) -> None:
        """Remembers the caller's last command to this batch."""
        self._commands[batch_id, subject] = _Command(offset, self._clock.monotonic())
        self._commands.move_to_end((batch_id, subject))
        while len(self._commands) > REMEMBERED:
            self._commands.popitem(last=False)

    def _last_offset(self, batch_id: str, subject: str) -> int:
        """Returns the offset of the caller's last command, if it is so recent that the projection may lack it; else -1.

        An older command is not waited for: a command that the fold did not accept leaves no trace in the state.
        """
        command = self._commands.get((batch_id, subject))
        recent = command is not None and self._clock.monotonic() - command.at < LAG_SECONDS
        return command.offset if command is not None and recent else -1

    async def _ask(self, batch_id: str, authorization: str | None) -> BatchState | Problem:
        answer = await self._answer(f"/api/batches/{batch_id}/state", {}, authorization)
        try:
            return _passed_on(answer) if answer.is_error else decode_state(answer.content)
        except msgspec.DecodeError as error:
            raise _away() from error

    async def _ask_states(self, request_id: str, cursor: str | None, authorization: str | None) -> "_States | Problem":
        params = {"limit": str(STATES_AT_ONCE)} | ({} if cursor is None else {"cursor": cursor})
        answer = await self._answer(f"/api/requests/{request_id}/states", params, authorization)
        try:
            return _passed_on(answer) if answer.is_error else _decode_states(answer.content)
        except msgspec.DecodeError as error:
            raise _away() from error

    async def _answer(self, path: str, params: dict[str, str], authorization: str | None) -> httpx.Response:
        """Returns the notifier's answer if it is a 200, 401, 403 or 404. Raises Problem 503 for any other."""
        headers = {} if authorization is None else {b"Authorization": authorization.encode("latin-1")}  # the bytes as they came
        try:
            answer = await self._get(path, params, headers)
        except httpx.HTTPError as error:
            raise _away() from error
        if answer.status_code not in {200, 401, 403, 404}:
            raise _away()
        return answer

    async def _get(self, path: str, params: dict[str, str], headers: dict[bytes, bytes]) -> httpx.Response:
        """Sends a GET to the notifier, as a span in the trace of the caller's request."""
        address = self._client.base_url
        attributes: tracing.Attributes = {
            "http.request.method": "GET",
            "url.full": f"{address}{path.lstrip('/')}",
            "server.address": address.host,
            "server.port": address.port or _PORTS[address.scheme],
        }
        with tracing.span("GET", attributes, kind="client") as span:
            trace = span.traceparent or tracing.current()
            answer = await self._client.get(
                path, params=params, headers=headers if trace is None else {**headers, b"traceparent": trace.encode()}
            )
            span.set({"http.response.status_code": answer.status_code})
            return answer


def _passed_on(answer: httpx.Response) -> Problem:
    """Returns a refusal of the notifier as a problem, with the notifier's code and detail where it gives them."""
    try:
        body = msgspec.json.decode(answer.content, type=dict)
    except msgspec.DecodeError:
        body = {}
    code, detail = body.get("code", "not_found"), body.get("detail", answer.reason_phrase)
    headers = {name: answer.headers[name] for name in ("WWW-Authenticate",) if name in answer.headers}
    return Problem(answer.status_code, code, detail, headers=headers)


def _away() -> Problem:
    detail = "The notifier, which knows where batches stand, does not answer. Try again in a while."
    return Problem(503, "notifier_unavailable", detail, headers=RETRY_AFTER)
