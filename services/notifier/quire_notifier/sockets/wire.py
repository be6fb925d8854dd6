"""A WebSocket connection with access to its transport, so that a frame made once can be written to a thousand clients.

uvicorn's protocol does the handshake, control frames and reading; our whole frames are written directly to the transport. The
application finds the connection as `scope["extensions"]["quire.wire"]`.
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
"""Seconds that a client has to read a close frame and answer it, before the connection is cut."""
LOOK_SECONDS = 1.0
"""Seconds between two checks of how much a client has read."""
READ_BYTES = 4 * 1024
"""Bytes processed at a time, so that a flood of tiny frames is noticed after a few hundred frames."""
FLOOD_SECONDS = 10.0
"""Seconds over which the frames of a client are counted."""

DRAINING = 3001
TRY_AGAIN = 3004
TOO_SLOW = 3008
TOO_MANY = 3013
UNAUTHENTICATED = 3500
BAD_MESSAGE = 3501
FORBIDDEN = 3503


class Wire(WebSocketsSansIOProtocol):
    """One connection. `live` and `say` never wait for the client; `paced` does."""

    def __init__(self, *args: Any, frames_per_second: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clear_at = 0.0  # the loop's time when the write buffer was last empty
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
        """Counts frames of any kind, and commands that share a frame. Pings and empty fragments count too, as they cost no less
        than messages. Too many frames close the connection.
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
        """Writes the pong within the same limits as every other frame, so that a client that pings
        and never reads is closed.
        """
        self.live(b"".join(self.conn.data_to_send()), self.loop.time())

    def keepalive_timeout(self) -> None:
        """Called when the peer answers no ping. Its last frame gets one second, not the minutes that TCP would wait."""
        super().keepalive_timeout()
        self.loop.call_later(1.0, self.transport.abort)

    @property
    def ended(self) -> bool:
        """Whether nothing can be written any more."""
        return self.close_sent or self.disconnected or self.transport.is_closing()

    def encoding(self, _epoch: str, _collection_id: str) -> Encoding:
        return text_frame

    def say(self, message: ServerMessage) -> None:
        """Writes one message to this client alone."""
        self.live(text_frame(encode_message(message)), self.loop.time())

    def live(self, data: bytes, now: float) -> None:
        """Writes whole frames now. A client that is too far behind is closed with 3008 instead; no frame is ever skipped."""
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
        """Writes whole frames as fast as the client reads them. Raises TooSlow."""
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
        """Returns when the client has read nearly everything. Raises TooSlow when the client reads too slowly."""
        async with self._turn:
            await self._drain()

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame, and cuts the connection after CLOSING_SECONDS even if the client has not read it. May be called
        again.
        """
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
        async with self._turn:  # several subscriptions write in turn, so that their data does not pile up
            if self.ended:
                raise TooSlow
            data = b"".join(piece)  # a single frame is not copied
            self._written += len(data)
            self.transport.write(data)
            await asyncio.sleep(0)  # lets the transport send, and other tasks run
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
        """Returns how many bytes have left our write buffer."""
        return self._written - self.transport.get_write_buffer_size()

    def _close_slow(self) -> None:
        self.close(TOO_SLOW, "too slow: connect again and go on with `after`")


def wire_of(scope: Scope) -> Wire:
    wire: Wire = scope["extensions"][EXTENSION]
    return wire
