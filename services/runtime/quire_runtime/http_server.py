"""uvicorn as one task among others, on a socket that is bound before anything starts."""

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
"""How long a client may take none of what is sent to it, until the kernel ends its connection."""
KERNEL_BYTES = 64 * 1024
"""Bytes not sent yet that the kernel may hold for a client: so one that is slow is noticed here, soon."""

WebSockets = Literal["none"] | Callable[..., asyncio.Protocol]


class CannotListen(CannotServe):
    """The address is not ours, or taken by another program. Correct the setting, or stop that program."""


class HttpServer:
    """uvicorn run by its owner: it takes no signals, binds before anything starts, and ends when `stop` is called."""

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
        """Raises CannotListen, naming `setting`. `graceful`: seconds open requests have to end after `stop`. `trusted_proxies`:
        addresses and networks; the client of a request that comes through them is whom their X-Forwarded-For names.
        """
        self._socket = bind(settings.host, settings.port, setting)
        self.port: int = self._socket.getsockname()[1]
        self.places: Places[Connection] = Places(settings.max_connections or room_for_connections(), setting)
        self._server = _Server(
            uvicorn.Config(
                SafeAnswers(PlainErrors(app)),
                host=settings.host,
                port=self.port,
                http=partial(Connection, settings, self.places),  # type: ignore[arg-type]  # it is called, and nothing else
                ws=ws,  # type: ignore[arg-type]  # likewise
                backlog=BACKLOG,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                ws_per_message_deflate=False,
                timeout_keep_alive=settings.keep_alive,  # type: ignore[arg-type]  # it goes to loop.call_later as it is
                timeout_graceful_shutdown=graceful,  # type: ignore[arg-type]  # it goes to asyncio.wait_for as it is
                **config,
            )
        )

    async def run(self) -> None:
        """Serves until `stop`; when cancelled, stops at once."""
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
        """Takes no new connection and lets `run` return once the open ones have ended, or their time is up."""
        self._server.should_exit = True


def bind(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens; raises CannotListen, naming `setting`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option, value in (("TCP_USER_TIMEOUT", STALLED_SECONDS * 1000), ("TCP_NOTSENT_LOWAT", KERNEL_BYTES)):
        if hasattr(socket, option):  # what is accepted here inherits it
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
