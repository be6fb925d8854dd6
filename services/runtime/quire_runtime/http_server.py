"""Runs uvicorn as one task among others, on a socket that is bound before anything starts."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp

from quire_runtime.connections import Connection
from quire_runtime.errors import CannotServe
from quire_runtime.files import BACKLOG, Places, room_for_connections
from quire_runtime.middleware import PlainErrors, SafeAnswers
from quire_runtime.settings import HttpSettings

STALLED_SECONDS = 60
"""Seconds that a client may read nothing of what is sent to it, before the kernel ends its connection."""
KERNEL_BYTES = 64 * 1024
"""Unsent bytes that the kernel may hold for a client. The limit is low, so that the server notices a slow client soon."""

WebSockets = Literal["none"] | Callable[..., asyncio.Protocol]


class CannotListen(CannotServe):
    """The address is not one of this machine's, or another program uses it. Correct the setting, or stop that program."""


class HttpServer:
    """Runs uvicorn under its owner's control: it handles no signals, binds before anything starts, and ends when `stop` is
    called.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: HttpSettings,
        *,
        setting: str = "QUIRE_HTTP_PORT",
        ws: WebSockets = "none",
        graceful: float = 10.0,
        trusted_proxies: Sequence[str] = (),
        **config: Any,
    ) -> None:
        """Raises CannotListen, naming `setting`. `graceful` is the time in seconds that open requests have to end after `stop`.
        `trusted_proxies` lists addresses and networks; the client of a request through them is the one that their
        X-Forwarded-For names.
        """
        self._socket = bind(settings.host, settings.port, setting)
        self.port: int = self._socket.getsockname()[1]
        self.places: Places[Connection] = Places(settings.max_connections or room_for_connections(), setting)
        self._server = _Server(
            uvicorn.Config(
                SafeAnswers(PlainErrors(app)),
                host=settings.host,
                port=self.port,
                http=partial(Connection, settings, self.places),  # type: ignore[arg-type]  # uvicorn only calls it
                ws=ws,  # type: ignore[arg-type]  # likewise
                backlog=BACKLOG,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                ws_per_message_deflate=False,
                timeout_keep_alive=settings.keep_alive_seconds,  # type: ignore[arg-type]  # passed to loop.call_later unchanged
                timeout_graceful_shutdown=graceful,  # type: ignore[arg-type]  # passed to asyncio.wait_for unchanged
                **config,
            )
        )

    async def run(self) -> None:
        """Serves until `stop`. Stops at once when cancelled."""
        try:
            await self._server.serve(sockets=[self._socket])
        except asyncio.CancelledError:
            if self._server.started:
                self._server.force_exit = True
                await self._server.shutdown(sockets=[self._socket])
            raise
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Accepts no new connection, and lets `run` return once the open ones have ended or their time is up."""
        self._server.should_exit = True


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Returns a listening socket. Raises CannotListen, naming `setting`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option, value in (("TCP_USER_TIMEOUT", STALLED_SECONDS * 1000), ("TCP_NOTSENT_LOWAT", KERNEL_BYTES)):
        if hasattr(socket, option):  # accepted connections inherit the option
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            taken = f"port {port} on {host} is taken by another program. Stop that one, or set {setting} to a free port"
            raise CannotListen(taken) from None
        what = f"cannot listen on {host}:{port} ({error.strerror}). Correct {setting}, or {setting.replace('PORT', 'HOST')}"
        raise CannotListen(what) from None
    sock.settimeout(0)
    return sock


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
