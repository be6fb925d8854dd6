"""`/connection/websocket`: the same feed for the unmodified `centrifuge` clients. Channel = collection, offset = seq.

A subscription that cannot be recovered says so (`recovered: false`) and carries the snapshot as its `data`, where that is small.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from msgspec import Raw
from starlette.types import Receive

from quire_notifier.pushing.admission import Admission
from quire_notifier.pushing.groups import Encoding
from quire_notifier.pushing.hub import Hub
from quire_notifier.pushing.snapshots import SnapshotMessages
from quire_notifier.pushing.subscription import Subscription, TooSlow
from quire_notifier.sockets import centrifuge_protocol as protocol
from quire_notifier.sockets.centrifuge_protocol import Command
from quire_notifier.sockets.wire import BAD_MESSAGE, TOO_MANY, TRY_AGAIN, UNAUTHENTICATED, Wire
from quire_runtime.auth import Authenticator, AuthUnavailable, Principal, Unauthenticated
from quire_schemas.events import COLLECTION
from quire_schemas.messages import ServerMessage, Subscribed

PONG_SECONDS = 10.0


class Channel:
    """The outlet of one subscription: the first thing said is the reply to its command."""

    def __init__(self, wire: Wire, command: Command, name: str) -> None:
        self._wire = wire
        self._command: Command | None = command
        self._name = name
        self.lost = False

    def encoding(self, _epoch: str, _collection_id: str) -> Encoding:
        return protocol.publications_of(self._name)

    def say(self, message: ServerMessage) -> None:
        if isinstance(message, Subscribed):
            self._subscribed(message.epoch, message.seq, recovered=True)

    def live(self, data: bytes, now: float) -> None:
        if not self.lost:
            self._wire.live(data, now)

    async def paced(self, frames: list[bytes]) -> None:
        if not self.lost:
            await self._wire.paced(frames)

    async def snapshot(self, snapshot: SnapshotMessages) -> None:
        if self._command is None:  # in the middle: the client subscribes again, and gets a snapshot then
            self.lost = True
            self._wire.live(protocol.unsubscribed(self._name, "insufficient state"), asyncio.get_running_loop().time())
            raise TooSlow
        small = {"data": Raw(snapshot.texts[0])} if len(snapshot.texts) == 1 else {}
        self._subscribed(snapshot.head.epoch, snapshot.head.last_seq, recovered=False, **small)

    def _subscribed(self, epoch: str, offset: int, *, recovered: bool, **more: Any) -> None:
        command, self._command = self._command, None
        if command is None or command.subscribe is None:
            return
        state = {"recoverable": True, "positioned": True, "epoch": epoch, "offset": offset}
        recovery = {"recovered": recovered, "was_recovering": command.subscribe.recover}
        self._wire.live(protocol.reply(command, subscribe={**state, **recovery, **more}), asyncio.get_running_loop().time())


class CentrifugeSession:
    """One connection. The first command has to be `connect`."""

    def __init__(
        self,
        wire: Wire,
        hub: Hub,
        admission: Admission,
        authenticator: Authenticator,
        *,
        authenticate_seconds: float,
        ping_seconds: float,
        max_subscriptions: int,
    ) -> None:
        self._wire = wire
        self._hub = hub
        self._admission = admission
        self._authenticator = authenticator
        self._authenticate_seconds = authenticate_seconds
        self._ping_seconds = ping_seconds
        self._max_subscriptions = max_subscriptions
        self._principal: Principal | None = None
        self._client = str(uuid4())
        self._channels: dict[str, tuple[Subscription, Channel]] = {}
        self._heard = 0.0
        self._expiry: asyncio.TimerHandle | None = None
        self._tasks: asyncio.TaskGroup

    async def run(self, receive: Receive) -> None:
        """Until the connection ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._expire_in(self._authenticate_seconds, "no connect command came in time")
                pinging = tasks.create_task(self._ping())
                try:
                    while (message := await receive())["type"] == "websocket.receive":
                        self._heard = asyncio.get_running_loop().time()
                        await self._take(message.get("text") or "")
                finally:  # also when one of its tasks broke: nothing of it stays behind in a tail
                    pinging.cancel()
                    self._stop()
        finally:
            self._leave()

    async def _take(self, text: str) -> None:
        try:
            for number, command in enumerate(protocol.commands(text)):
                self._wire.spend(min(number, 1))  # the first one is the frame itself
                if self._wire.ended:
                    return
                await self._obey(command)
            await self._wire.drained()
        except TooSlow:
            return
        except (ValueError, RecursionError):
            self._close(BAD_MESSAGE, "bad request")

    async def _obey(self, command: Command) -> None:
        if command.connect is not None or command.refresh is not None:
            await self._connect(command)
        elif command.id == 0:
            return  # a pong
        elif self._principal is None:
            self._close(BAD_MESSAGE, "bad request")
        elif command.subscribe is not None:
            self._subscribe(command, self._principal)
        elif command.unsubscribe is not None:
            self._unsubscribe(command.unsubscribe.channel)
            self._write(protocol.reply(command, unsubscribe={}))
        elif command.ping is not None:
            self._write(protocol.reply(command, ping={}))
        else:
            self._write(protocol.failure(command, protocol.METHOD_NOT_FOUND, "method not found"))

    async def _connect(self, command: Command) -> None:
        token = command.connect.token if command.connect is not None else command.refresh.token if command.refresh else ""
        try:
            principal = await self._authenticator.of_token(token)
        except Unauthenticated as error:
            code = protocol.TOKEN_EXPIRED if "expired" in error.detail else protocol.UNAUTHORIZED
            self._write(protocol.failure(command, code, error.detail))
            if code == protocol.UNAUTHORIZED:
                self._close(UNAUTHENTICATED, "invalid token")
            return
        except AuthUnavailable as error:
            self._write(protocol.failure(command, protocol.INTERNAL, error.detail))
            if self._principal is None:
                self._close(TRY_AGAIN, "auth unavailable")
            return
        if not self._enter(principal):
            return
        result: dict[str, Any] = {"client": self._client, "version": "quire"}
        if principal.expires_at is not None:
            ttl = max(1, int((principal.expires_at - datetime.now(UTC)).total_seconds()))
            result |= {"expires": True, "ttl": ttl}
        if command.connect is not None:
            result |= {"ping": round(self._ping_seconds), "pong": True}
        self._write(protocol.reply(command, **{"connect" if command.connect is not None else "refresh": result}))

    def _enter(self, principal: Principal) -> bool:
        if self._principal is None or self._principal.subject != principal.subject:
            if principal.expires_at is not None and not self._admission.enter(principal.subject):
                self._close(TOO_MANY, "too many connections of this subject")
                return False
            self._leave()
        self._principal = principal
        for name in [name for name in self._channels if not principal.may_read(name)]:
            self._unsubscribe(name)
        if principal.expires_at is not None:
            self._expire_in((principal.expires_at - datetime.now(UTC)).total_seconds(), "expired")
        elif self._expiry is not None:
            self._expiry.cancel()
        return True

    def _expire_in(self, seconds: float, reason: str) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(max(0.0, seconds), self._close, UNAUTHENTICATED, reason)

    def _subscribe(self, command: Command, principal: Principal) -> None:
        wanted = command.subscribe
        assert wanted is not None  # noqa: S101 -- looked at by the caller
        if not COLLECTION.fullmatch(wanted.channel):
            self._write(protocol.failure(command, protocol.BAD_REQUEST, "a channel is 1 to 128 of A-Z a-z 0-9 . _ -"))
        elif not principal.may_read(wanted.channel):
            self._write(protocol.failure(command, protocol.PERMISSION_DENIED, "permission denied"))
        elif wanted.channel in self._channels and not self._channels[wanted.channel][1].lost:
            self._write(protocol.failure(command, protocol.ALREADY_SUBSCRIBED, "already subscribed"))
        elif len(self._channels) >= self._max_subscriptions:
            self._write(protocol.failure(command, protocol.LIMIT_EXCEEDED, "limit exceeded"))
        else:
            self._unsubscribe(wanted.channel)
            channel = Channel(self._wire, command, wanted.channel)
            subscription = Subscription(self._hub, channel, wanted.channel, self._tasks)
            self._channels[wanted.channel] = subscription, channel
            subscription.start(wanted.offset if wanted.recover else None, wanted.epoch or None)

    def _unsubscribe(self, name: str) -> None:
        if name in self._channels:
            self._channels.pop(name)[0].stop()

    async def _ping(self) -> None:
        while not self._wire.ended:
            await asyncio.sleep(self._ping_seconds)
            asked = asyncio.get_running_loop().time()
            self._write(protocol.PING)
            await asyncio.sleep(PONG_SECONDS)
            if self._heard < asked:
                self._close(protocol.NO_PONG, "no pong")

    def _write(self, frame: bytes) -> None:
        self._wire.live(frame, asyncio.get_running_loop().time())

    def _close(self, code: int, reason: str) -> None:
        self._wire.close(code, reason)
        self._stop()

    def _stop(self) -> None:
        for name in list(self._channels):
            self._unsubscribe(name)

    def _leave(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        if self._principal is not None and self._principal.expires_at is not None:
            self._admission.leave(self._principal.subject)
        self._principal = None
