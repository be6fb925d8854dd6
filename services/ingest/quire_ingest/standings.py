"""Where a batch stands, as the notifier's projection has it (docs/design.md, "Cancel and retry")."""

import asyncio
from collections import OrderedDict
from typing import NamedTuple

import httpx
import msgspec

from quire_ingest.answers import RETRY_AFTER
from quire_runtime import tracing
from quire_runtime.clock import Clock
from quire_runtime.http import Problem
from quire_schemas.batch import BatchState
from quire_schemas.stored import decode_state

ASK_AGAIN_SECONDS = 0.1
LAG_SECONDS = 2.0
"""How long the projection may lag before its answer is taken as it is."""
REMEMBERED = 10_000
_PORTS = {"http": 80, "https": 443}


class _Command(NamedTuple):
    """An appended command: its place in the batch's partition, and when, on the monotonic clock."""

    offset: int
    at: float


class Standings:
    """Asks the notifier with the caller's own token, so that access is its rule. A 404, or a state from before the caller's last
    command, is asked again for a while.
    """

    def __init__(self, client: httpx.AsyncClient, clock: Clock) -> None:
        """`client` has the notifier as its base URL."""
        self._client = client
        self._clock = clock
        self._commands: OrderedDict[tuple[str, str], _Command] = OrderedDict()

    async def of(self, batch_id: str, subject: str, authorization: str | None) -> BatchState:
        """Raises Problem: the notifier's own 401, 403, 404; 503 when it does not answer."""
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

    def appended(self, batch_id: str, subject: str, offset: int) -> None:
        """Remembers the caller's last command to this batch."""
        self._commands[batch_id, subject] = _Command(offset, self._clock.monotonic())
        self._commands.move_to_end((batch_id, subject))
        while len(self._commands) > REMEMBERED:
            self._commands.popitem(last=False)

    def _last_offset(self, batch_id: str, subject: str) -> int:
        """Of a command so recent that the projection may not have it. A command that the fold did not accept leaves no trace in
        the state: so an older one is not waited for.
        """
        command = self._commands.get((batch_id, subject))
        recent = command is not None and self._clock.monotonic() - command.at < LAG_SECONDS
        return command.offset if command is not None and recent else -1

    async def _ask(self, batch_id: str, authorization: str | None) -> BatchState | Problem:
        headers = {} if authorization is None else {b"Authorization": authorization.encode("latin-1")}  # the bytes as they came
        try:
            answer = await self._get(f"/api/batches/{batch_id}/state", headers)
            if answer.status_code == 200:
                return decode_state(answer.content)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise _away() from error
        if answer.status_code in {401, 403, 404}:
            return _passed_on(answer)
        raise _away()

    async def _get(self, path: str, headers: dict[bytes, bytes]) -> httpx.Response:
        """In the trace of the caller's request."""
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
                path, headers=headers if trace is None else {**headers, b"traceparent": trace.encode()}
            )
            span.set({"http.response.status_code": answer.status_code})
            return answer


def _passed_on(answer: httpx.Response) -> Problem:
    """The notifier's own answer, in its own words where it has some."""
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
