"""uvicorn's HTTP/1.1 protocol with limits that it lacks: deadlines for clients, and a number of connections that leaves open
files for everything else.

The class extends uvicorn's H11Protocol, which is not a public API. `pyproject.toml` bounds the version, and
tests/runtime/test_private_parts.py checks that the parts used here exist. The notifier's `wire.py` extends another class of
uvicorn likewise.
"""

import asyncio
from typing import Any, Protocol

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from quire_runtime.files import Places

LINGER_SECONDS = 30.0
"""Seconds for the rest of a request's body when the request is answered already. Clients read the answer only when they have
sent everything.
"""
LEAST_TAKEN_BYTES = 32 * 1024


class Deadlines(Protocol):
    """Seconds, as HttpSettings describes them."""

    @property
    def head_timeout_seconds(self) -> float: ...
    @property
    def keep_alive_seconds(self) -> float: ...
    @property
    def stall_timeout_seconds(self) -> float: ...


class Connection(H11Protocol):
    """One connection until it ends or becomes a WebSocket. While it waits for a request it has a deadline, and is closed for a
    new connection when there are too many.
    """

    def __init__(self, limits: Deadlines, places: Places["Connection"], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._places = places
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._places.room(len(self.connections)):
            self._await_request(self._limits.head_timeout_seconds)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._end_waiting()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering():
            self._end_waiting()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._end_waiting()
        self.resume_writing()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        read = self.conn.their_state is not h11.SEND_BODY
        super().on_response_complete()
        if not self._answering() and not self.transport.is_closing():
            self._await_request(self._limits.keep_alive_seconds + self._limits.head_timeout_seconds if read else LINGER_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def give_way(self) -> None:
        """Ends the connection now, to make room for another one."""
        self.transport.abort()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_request(self, seconds: float) -> None:
        """Sets the deadline: the whole head of the next request has to arrive within this many seconds."""
        self._end_waiting()
        self._places.waits(self)
        self._deadline = self.loop.call_later(seconds, self.transport.close)  # data that is already written is sent first

    def _end_waiting(self) -> None:
        self._places.waits_no_more(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _watch_taking(self) -> None:
        """Cuts the connection unless the client reads some of the waiting data. Nothing is added to that data meanwhile."""
        waiting = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self._limits.stall_timeout_seconds, self._look, waiting)

    def _look(self, waited: int) -> None:
        if waited - self.transport.get_write_buffer_size() < min(waited, LEAST_TAKEN_BYTES):
            self.transport.abort()
        else:
            self._watch_taking()
