"""`GET /api/collections/{id}/events`: the same feed as Server-Sent Events, for curl and EventSource.

The id of an event is `epoch:seq`: what a client sends back as `Last-Event-ID`, by itself, goes on exactly there.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from quire_notifier import metrics
from quire_notifier.groups import Encoding, seq_of
from quire_notifier.hub import Hub
from quire_notifier.parameters import MAX_SEQ, number
from quire_notifier.snapshots import SnapshotMessages
from quire_notifier.subscription import Subscription
from quire_notifier.wire import MOST_WAITING, TooSlow
from quire_runtime.http import Problem
from quire_runtime.logs import get_logger
from quire_schemas.messages import ServerMessage, encode_message

log = get_logger(__name__)

COMMENT_SECONDS = 15.0
"""Between two signs of life, so that proxies keep the connection and a dead one is noticed."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
_RETRY = b"retry: 1000\n\n"


@lru_cache(maxsize=64)
def encoding_of(epoch: str) -> Encoding:
    """Events of this epoch; the same function for each client of it."""

    def encode(text: bytes) -> bytes:
        return b"id: %b:%d\ndata: %b\n\n" % (epoch.encode(), seq_of(text), text)

    return encode


class EventStream:
    """The outlet of one response: what is written waits here until the client takes it."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
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
            metrics.CLOSED.labels("sse").inc()
            self._waiting, self._size = [], 0  # the connection itself is cut by TCP, which waits a minute for who takes nothing
            self.end()
        else:
            self._put(data)

    async def paced(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._put(frame)
            while self._size > MOST_WAITING // 4 and not self._ended:
                self._taken.clear()
                await self._taken.wait()
            if self._ended:
                raise TooSlow

    async def snapshot(self, snapshot: SnapshotMessages) -> None:
        for text in snapshot.texts:
            await self.paced([encoding_of(snapshot.head.epoch)(text)])

    def create_task(self, coro: Coroutine[Any, Any, None], /) -> asyncio.Task[None]:
        """As the owner of its subscription's tasks: one that breaks ends this stream, and no other."""
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
        """Nothing more follows what waits; the client comes back by itself and misses nothing."""
        self._ended = True
        self._filled.set()
        self._taken.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is to be sent, until the end."""
        yield _RETRY
        while not self._ended:
            try:
                async with asyncio.timeout(COMMENT_SECONDS):
                    await self._filled.wait()
            except TimeoutError:
                yield b": alive\n\n"
                continue
            self._filled.clear()
            taken, self._waiting, self._size = self._waiting, [], 0
            self._taken.set()
            yield b"".join(taken)

    def _put(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)
        self._filled.set()


class Streams:
    """Every open response."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._open: set[EventStream] = set()
        metrics.STREAMS.set_function(lambda: len(self._open))

    def answer(self, request: Request, collection_id: str, seconds: float | None) -> Response:
        """`seconds`: after which the token has expired. Raises Problem."""
        after, epoch = _place(request)
        return StreamingResponse(
            self._events(collection_id, after, epoch, seconds), headers=_HEADERS, media_type="text/event-stream"
        )

    def drain(self) -> None:
        """Ends all of them."""
        for stream in self._open:
            stream.end()

    async def _events(
        self, collection_id: str, after: int | None, epoch: str | None, seconds: float | None
    ) -> AsyncIterator[bytes]:
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
    """Where to go on: `Last-Event-ID`, else `after` and `epoch` of the query."""
    last = request.headers.get("last-event-id")
    if last:
        epoch, _, seq = last.rpartition(":")
        if not epoch or not seq.isdecimal() or int(seq) > MAX_SEQ:
            raise Problem(422, "invalid_last_event_id", "Last-Event-ID takes the id of an event of this stream.")
        return int(seq), epoch
    if "after" not in request.query_params:
        return None, None
    return number(request.query_params, "after", 0, least=0, most=MAX_SEQ), request.query_params.get("epoch")
