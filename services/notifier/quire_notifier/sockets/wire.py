"""A WebSocket connection down to its transport, so that a frame made once is written to a thousand clients as it is.

uvicorn's protocol does handshake, control frames and reading; whole frames of ours go straight to the transport in between.
It finds its way to the application as `scope["extensions"]["quire.wire"]`.
"""

import asyncio
import contextlib
from asyncio.transports import BaseTransport
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from quire_notifier import metrics
from quire_notifier.pushing.groups import Encoding
from quire_notifier.pushing.pace import MOST_WAITING, PIECE_BYTES, STALLED_SECONDS, Pace
from quire_notifier.pushing.snapshots import SnapshotMessages
from quire_notifier.pushing.subscription import TooSlow
from quire_notifier.sockets.frames import text_frame
from quire_runtime.logs import get_logger
from quire_schemas.messages import ServerMessage, encode_message

log = get_logger(__name__)

EXTENSION = "quire.wire"
CLOSING_SECONDS = 3.0
"""What a client has for taking a close frame and answering it, before the connection is cut."""
LOOK_SECONDS = 1.0
"""Between two looks at what a client has taken."""
READ_BYTES = 4 * 1024
"""What is taken from the network at a time, so that a flood of tiny frames is noticed after some hundred of them."""
FLOOD_SECONDS = 10.0
"""Over which the frames of a client are counted."""

DRAINING = 3001
TRY_AGAIN = 3004
TOO_SLOW = 3008
TOO_MANY = 3013
UNAUTHENTICATED = 3500
BAD_MESSAGE = 3501
FORBIDDEN = 3503


class Wire(WebSocketsSansIOProtocol):
    """One connection. Nothing that is written waits for the client; `paced` does."""

    def __init__(self, *args: Any, frames_per_second: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clear_at = 0.0  # the loop's time when nothing was waiting
        self._written = 0  # bytes
        self._pace = Pace()
        self._turn = asyncio.Lock()
        self._most_frames = frames_per_second * FLOOD_SECONDS
        self._frames, self._counted_since = 0, 0.0
        self._flooded = False

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._clear_at = self.loop.time()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            cast("dict[str, Any]", self.scope["extensions"])[EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), READ_BYTES):
            if self._flooded or self.transport.is_closing():
                return
            super().data_received(data[start : start + READ_BYTES])

    def handle_events(self) -> None:
        self.spend(len(self.conn.events))
        super().handle_events()

    def spend(self, frames: int) -> None:
        """Counts what a client wants: frames of any kind, as pings and empty fragments cost us no less than messages, and what
        shares a frame. Too many of them close the connection.
        """
        now = self.loop.time()
        if now - self._counted_since > FLOOD_SECONDS:
            self._frames, self._counted_since = 0, now
        self._frames += frames
        if self._frames > self._most_frames:
            self._flooded = True
            if self.handshake_complete:
                self.close(TOO_MANY, "too many frames: connect again and send fewer")
            else:
                self.transport.abort()

    def handle_ping(self) -> None:
        """A pong waits for the client as everything else does: one who pings and never reads is closed."""
        self.live(b"".join(self.conn.data_to_send()), self.loop.time())

    def keepalive_timeout(self) -> None:
        """The peer is gone, or behaves so: its last frame gets a moment, not the minutes that TCP would wait."""
        super().keepalive_timeout()
        self.loop.call_later(1.0, self.transport.abort)

    @property
    def ended(self) -> bool:
        """Nothing can be written any more."""
        return self.close_sent or self.disconnected or self.transport.is_closing()

    def encoding(self, _epoch: str, _collection_id: str) -> Encoding:
        return text_frame

    def say(self, message: ServerMessage) -> None:
        """One message to this client alone."""
        self.live(text_frame(encode_message(message)), self.loop.time())

    def live(self, data: bytes, now: float) -> None:
        """Whole frames, now. A client that is too far behind is closed instead, with 3008: nothing is ever skipped."""
        transport = self.transport
        if self.close_sent or self.disconnected or transport.is_closing():
            return
        waiting = transport.get_write_buffer_size()
        if not waiting:
            self._clear_at = now
        elif waiting + len(data) > MOST_WAITING or now - self._clear_at > STALLED_SECONDS:
            self._close_slow()
            return
        self._written += len(data)
        transport.write(data)

    async def paced(self, frames: list[bytes]) -> None:
        """Whole frames, as fast as the client takes them. Raises TooSlow."""
        piece: list[bytes] = []
        size = 0
        for frame in frames:
            piece.append(frame)
            size += len(frame)
            if size >= PIECE_BYTES:
                await self._put(piece)
                piece, size = [], 0
        if piece:
            await self._put(piece)

    async def snapshot(self, snapshot: SnapshotMessages) -> None:
        await self.paced(snapshot.encoded(text_frame))

    async def drained(self) -> None:
        """Returns when the client has taken nearly everything. Raises TooSlow where it takes too little in the time."""
        async with self._turn:
            await self._drain()

    def close(self, code: int, reason: str) -> None:
        """Says why, and cuts the connection soon, whether the client has taken it or not. Harmless when called again."""
        if self.ended:
            return
        metrics.CLOSED.labels(str(code)).inc()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSING_SECONDS, self.transport.abort)

    async def _put(self, piece: list[bytes]) -> None:
        async with self._turn:  # what several subscriptions have for it goes out in turn, and does not pile up
            if self.ended:
                raise TooSlow
            data = b"".join(piece)  # one frame is not copied
            self._written += len(data)
            self.transport.write(data)
            await asyncio.sleep(0)  # lets the transport send, and others have their turn
            await self._drain()

    async def _drain(self) -> None:
        while not self.writable.is_set():
            began, taken = self.loop.time(), self._taken()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_SECONDS, self._pace.seconds)):
                    await self.writable.wait()
            self._pace.waited(self.loop.time() - began, self._taken() - taken)
            if not self._pace.seconds and not self.writable.is_set():
                self._close_slow()
                raise TooSlow
        self._clear_at = self.loop.time()

    def _taken(self) -> int:
        """Bytes that have left us."""
        return self._written - self.transport.get_write_buffer_size()

    def _close_slow(self) -> None:
        self.close(TOO_SLOW, "too slow: connect again and go on with `after`")


def wire_of(scope: Scope) -> Wire:
    wire: Wire = scope["extensions"][EXTENSION]
    return wire
