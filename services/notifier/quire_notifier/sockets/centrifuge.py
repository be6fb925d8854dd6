"""`/connection/websocket`: the feed for unmodified `centrifuge` clients. A channel is a collection, an offset is a seq.

The reply to a subscription that cannot be recovered says `recovered: false`, and carries the snapshot as its `data` if the
snapshot fits into one message.
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
from quire_notifier.sockets.presence import EXPIRED, Presence, Refusal
from quire_notifier.sockets.wire import BAD_MESSAGE, TOO_MANY, TRY_AGAIN, UNAUTHENTICATED, Wire
from quire_runtime.auth import Authenticator, AuthUnavailable, Principal, Unauthenticated
from quire_schemas.messages import ServerMessage, Subscribed

PONG_SECONDS = 10.0
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "invalid_collection_id": (protocol.BAD_REQUEST, "a channel is 1 to 128 of A-Z a-z 0-9 . _ -"),
    "forbidden": (protocol.PERMISSION_DENIED, "permission denied"),
    "already_subscribed": (protocol.ALREADY_SUBSCRIBED, "already subscribed"),
    "too_many_subscriptions": (protocol.LIMIT_EXCEEDED, "limit exceeded"),
}


class Channel:
    """The outlet of one subscription. The first message written is the reply to the subscribe command."""

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
        if self._command is None:  # already subscribed: the client subscribes again, and gets a snapshot then
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
    """One connection. Its first command has to be `connect`."""

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
        self._authenticator = authenticator
        self._authenticate_seconds = authenticate_seconds
        self._ping_seconds = ping_seconds
        self._presence = Presence(admission, max_subscriptions, self._expired)
        self._client = str(uuid4())
        self._channels: dict[str, Channel] = {}
        self._heard = 0.0
        self._tasks: asyncio.TaskGroup

    async def run(self, receive: Receive) -> None:
        """Serves the connection until it ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._presence.expire_in(self._authenticate_seconds, "no connect command came in time")
                pinging = tasks.create_task(self._ping())
                try:
                    while (message := await receive())["type"] == "websocket.receive":
                        self._heard = asyncio.get_running_loop().time()
                        await self._take(message.get("text") or "")
                finally:  # also when one of the tasks failed: no subscription may stay in a tail
                    pinging.cancel()
                    self._presence.stop()
        finally:
            self._presence.leave()

    async def _take(self, text: str) -> None:
        try:
            for number, command in enumerate(protocol.commands(text)):
                self._wire.spend(min(number, 1))  # the frame itself is already counted as the first command
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
        elif self._presence.principal is None:
            self._close(BAD_MESSAGE, "bad request")
        elif command.subscribe is not None:
            self._subscribe(command)
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
            if self._presence.principal is None:
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
        if not self._presence.enter(principal):
            self._close(TOO_MANY, "too many connections of this subject")
            return False
        for name in self._presence.no_longer_allowed():
            self._unsubscribe(name)
        return True

    def _expired(self, reason: str) -> None:
        self._close(UNAUTHENTICATED, "expired" if reason == EXPIRED else reason)

    def _subscribe(self, command: Command) -> None:
        wanted = command.subscribe
        assert wanted is not None  # noqa: S101 -- looked at by the caller
        name = wanted.channel
        if name in self._channels and self._channels[name].lost:
            self._unsubscribe(name)
        if (refusal := self._presence.refusal(name)) is not None:
            self._write(protocol.failure(command, *_REFUSALS[refusal]))
            return
        channel = self._channels[name] = Channel(self._wire, command, name)
        subscription = self._presence.subscriptions[name] = Subscription(self._hub, channel, name, self._tasks)
        subscription.start(wanted.offset if wanted.recover else None, wanted.epoch or None)

    def _unsubscribe(self, name: str) -> None:
        self._presence.unsubscribe(name)
        self._channels.pop(name, None)

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
        self._presence.stop()
