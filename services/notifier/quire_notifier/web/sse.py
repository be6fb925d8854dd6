"""`GET /api/collections/{id}/events`: the feed as Server-Sent Events, for curl and EventSource.

The id of an event is `epoch:seq`. A client that reconnects sends it back as `Last-Event-ID`, and goes on exactly there.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quire_notifier import metrics
from quire_notifier.pushing.admission import Admission
from quire_notifier.pushing.groups import Encoding, seq_of
from quire_notifier.pushing.hub import Hub
from quire_notifier.pushing.pace import MOST_WAITING, PIECE_BYTES, Pace
from quire_notifier.pushing.snapshots import SnapshotMessages
from quire_notifier.pushing.subscription import Subscription, TooSlow
from quire_notifier.web.held import HeldResponse
from quire_notifier.web.parameters import MAX_SEQ, number
from quire_runtime.auth import Principal
from quire_runtime.http import Problem
from quire_runtime.logs import get_logger
from quire_schemas.messages import ServerMessage, encode_message

log = get_logger(__name__)

COMMENT_SECONDS = 15.0
"""Seconds between two comments. They keep proxies from closing the connection, and show when it is dead."""
_HEADERS = {"X-Accel-Buffering": "no"}
_RETRY = b"retry: 1000\n\n"


@lru_cache(maxsize=64)
def encoding_of(epoch: str) -> Encoding:
    """Returns the encoding of messages as events of this epoch. All clients of an epoch get the same function."""

    def encode(text: bytes) -> bytes:
        return b"id: %b:%d\ndata: %b\n\n" % (epoch.encode(), seq_of(text), text)

    return encode


class EventStream:
    """The outlet of one response. Written data waits here until the client takes it."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._gone = 0  # bytes that the client has taken
        self._pace = Pace()
        self._epoch = ""
        self._filled, self._taken = asyncio.Event(), asyncio.Event()
        self._ended = False
        self._tasks: set[asyncio.Task[None]] = set()

    def encoding(self, epoch: str, _collection_id: str) -> Encoding:
        self._epoch = epoch
        return encoding_of(epoch)

    def say(self, message: ServerMessage) -> None:
        self.live(encoding_of(self._epoch)(encode_message(message)), 0.0)

    def live(self, data: bytes, _now: float) -> None:
        if self._ended:
            return
        if self._size + len(data) > MOST_WAITING:
            self._end_slow()
        else:
            self._put(data)

    async def paced(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._put(frame)
            while self._size > PIECE_BYTES and not self._ended:
                await self._drained()
            if self._ended:
                raise TooSlow

    async def snapshot(self, snapshot: SnapshotMessages) -> None:
        await self.paced(snapshot.encoded(encoding_of(snapshot.head.epoch)))

    def create_task(self, coro: Coroutine[Any, Any, None], /) -> asyncio.Task[None]:
        """Creates a task of the stream's subscription. A task that fails ends this stream, and no other."""
        task = asyncio.create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an event stream broke", exc_info=error)
            self.end()

    def end(self) -> None:
        """Ends the stream. The client reconnects by itself and misses nothing."""
        self._ended = True
        self._filled.set()
        self._taken.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the bytes to send, until the stream ends."""
        yield _RETRY
        while not self._ended:
            try:
                async with asyncio.timeout(COMMENT_SECONDS):
                    await self._filled.wait()
            except TimeoutError:
                yield b": alive\n\n"
                continue
            self._filled.clear()
            chunk, self._waiting, self._size = b"".join(self._waiting), [], 0
            self._taken.set()
            yield chunk
            self._gone += len(chunk)

    def _put(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)
        self._filled.set()

    async def _drained(self) -> None:
        """Returns when the waiting data has been handed over. Ends the stream when the client is too slow for that."""
        loop = asyncio.get_running_loop()
        began, gone = loop.time(), self._gone
        self._taken.clear()
        try:
            async with asyncio.timeout(self._pace.seconds):
                await self._taken.wait()
        except TimeoutError:
            self._end_slow()
        self._pace.waited(loop.time() - began, self._gone - gone)

    def _end_slow(self) -> None:
        """Ends the stream of a slow client. The server cuts the connection when the client takes nothing more
        (QUIRE_HTTP_STALL_TIMEOUT_SECONDS).
        """
        metrics.CLOSED.labels("sse").inc()
        self._waiting, self._size = [], 0
        self.end()


def _too_many(whose: str) -> Problem:
    detail = f"This {whose} has too many connections open. Close some, and try again."
    return Problem(429, "too_many_sockets", detail, headers={"Retry-After": "5"})


class Streams:
    """Opens event streams, and keeps those that are open."""

    def __init__(self, hub: Hub, admission: Admission) -> None:
        self._hub = hub
        self._admission = admission
        self._open: set[EventStream] = set()
        metrics.STREAMS.set_function(lambda: len(self._open))

    def answer(self, request: Request, collection_id: str, principal: Principal) -> Response:
        """Answers with an event stream, which ends when the token expires. Raises Problem."""
        after, epoch = _place(request)
        address = request.client.host if request.client else ""
        if not self._admission.admit(address):
            raise _too_many("address")
        if principal.expires_at is None:
            seconds, subject = None, None
        elif self._admission.enter(principal.subject):
            seconds, subject = (principal.expires_at - datetime.now(UTC)).total_seconds(), principal.subject
        else:
            self._admission.dismiss(address)
            raise _too_many("token's subject")
        events = self._events(collection_id, after, epoch, seconds)
        return HeldResponse(events, 200, _HEADERS, "text/event-stream", partial(self._release, address, subject))

    def _release(self, address: str, subject: str | None) -> None:
        self._admission.dismiss(address)
        if subject is not None:
            self._admission.leave(subject)

    def drain(self) -> None:
        """Ends all open streams."""
        for stream in self._open:
            stream.end()

    async def _events(
        self, collection_id: str, after: int | None, epoch: str | None, seconds: float | None
    ) -> AsyncGenerator[bytes, None]:
        stream = EventStream()
        subscription = Subscription(self._hub, stream, collection_id, stream)
        self._open.add(stream)
        expiry = None if seconds is None else asyncio.get_running_loop().call_later(max(0.0, seconds), stream.end)
        try:
            subscription.start(after, epoch)
            async for chunk in stream.chunks():
                yield chunk
        finally:
            subscription.stop()
            self._open.discard(stream)
            if expiry is not None:
                expiry.cancel()


def _place(request: Request) -> tuple[int | None, str | None]:
    """Returns the seq and epoch after which to go on: from `Last-Event-ID`, else from `after` and `epoch` of the query."""
    last = request.headers.get("last-event-id")
    if last:
        epoch, _, seq = last.rpartition(":")
        if not epoch or not seq.isdecimal() or len(seq) > len(str(MAX_SEQ)) or int(seq) > MAX_SEQ:
            raise Problem(422, "invalid_last_event_id", "Last-Event-ID takes the id of an event of this stream.")
        return int(seq), epoch
    if "after" not in request.query_params:
        return None, None
    return number(request.query_params, "after", 0, least=0, most=MAX_SEQ), request.query_params.get("epoch")
