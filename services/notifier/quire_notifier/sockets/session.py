"""One WebSocket: the messages of its client, its token, its subscriptions (docs/api.md, "WebSocket")."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from quire_notifier.pushing.admission import Admission
from quire_notifier.pushing.hub import Hub
from quire_notifier.pushing.subscription import Subscription, TooSlow
from quire_notifier.sockets.presence import Presence
from quire_notifier.sockets.wire import BAD_MESSAGE, FORBIDDEN, TOO_MANY, TRY_AGAIN, UNAUTHENTICATED, Wire
from quire_runtime.auth import Authenticator, AuthUnavailable, Principal, Unauthenticated
from quire_schemas.fields import COLLECTION
from quire_schemas.messages import (
    Authenticate,
    Authenticated,
    Error,
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
    Unsubscribed,
    decode_client_message,
)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Session:
    """The session of one socket. Until a token has been accepted, a client may only authenticate and ping."""

    def __init__(
        self,
        wire: Wire,
        hub: Hub,
        admission: Admission,
        authenticator: Authenticator,
        *,
        authenticate_seconds: float,
        max_subscriptions: int,
    ) -> None:
        self._wire = wire
        self._hub = hub
        self._authenticator = authenticator
        self._authenticate_seconds = authenticate_seconds
        self._max_subscriptions = max_subscriptions
        self._presence = Presence(admission, max_subscriptions, self._expired)
        self._waiting: list[Subscribe] = []  # subscriptions of the URL that wait for a token
        self._tasks: asyncio.TaskGroup

    async def run(self, receive: Receive, principal: Principal | None, first: Sequence[Subscribe]) -> None:
        """Serves the connection until it ends. The subscriptions in `first` begin at once, or when
        a token has been accepted.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._waiting = list(first)
                if principal is not None:
                    self._enter(principal)
                else:
                    self._presence.expire_in(self._authenticate_seconds, "no token came in time")
                try:
                    while (message := await receive())["type"] == "websocket.receive":
                        await self._take(message.get("text"))
                finally:  # also when one of the tasks failed: no subscription may stay in a tail
                    self._presence.stop()
        finally:
            self._presence.leave()

    async def _take(self, text: str | None) -> None:
        try:
            if text is None:
                raise ValueError("a binary message")  # noqa: TRY301 -- told to the client below
            message = decode_client_message(text)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            self._refuse(BAD_MESSAGE, "bad_message", f"this is none of the messages a client may send: {str(error)[:200]}")
            return
        match message:
            case Ping():
                self._wire.say(Pong())
            case Authenticate():
                await self._authenticate(message.token)
            case Subscribe():
                self._subscribe(message)
            case Unsubscribe():
                self._unsubscribe(message.collection_id)
        try:
            await self._wire.drained()  # reads nothing more from a client that does not read
        except TooSlow:
            return

    async def _authenticate(self, token: str) -> None:
        try:
            principal = await self._authenticator.of_token(token)
        except Unauthenticated as error:
            self._refuse(UNAUTHENTICATED, "unauthenticated", error.detail)
        except AuthUnavailable as error:
            if self._presence.principal is None:
                self._refuse(TRY_AGAIN, "auth_unavailable", error.detail)
            else:  # its present token is still valid
                self._error("auth_unavailable", error.detail)
        else:
            self._enter(principal)
            self._wire.say(Authenticated(expires_at=principal.expires_at))

    def _enter(self, principal: Principal) -> None:
        if not self._presence.enter(principal):
            self._refuse(TOO_MANY, "too_many_sockets", "this subject has too many connections open: close some")
            return
        for name in self._presence.no_longer_allowed():
            self._refuse(FORBIDDEN, "forbidden", "the new token does not allow to read this collection", name)
        waiting, self._waiting = self._waiting, []
        for subscribe in waiting:
            self._subscribe(subscribe)

    def _subscribe(self, message: Subscribe) -> None:
        name = message.collection_id
        if self._presence.principal is None:
            self._refuse(UNAUTHENTICATED, "unauthenticated", "send AUTHENTICATE with a token first", name)
            return
        match refusal := self._presence.refusal(name):
            case None:
                subscription = self._presence.subscriptions[name] = Subscription(self._hub, self._wire, name, self._tasks)
                subscription.start(message.after, message.epoch)
            case "forbidden":
                self._refuse(FORBIDDEN, refusal, "the token does not allow to read this collection", name)
            case "invalid_collection_id":
                self._error(refusal, "a collection id is 1 to 128 of A-Z a-z 0-9 . _ -")
            case "already_subscribed":
                self._error(refusal, "this socket has this collection; UNSUBSCRIBE first to start over", name)
            case "too_many_subscriptions":
                self._error(refusal, f"a socket has {self._max_subscriptions} at most: open another one", name)

    def _unsubscribe(self, name: str) -> None:
        if self._presence.unsubscribe(name):
            self._wire.say(Unsubscribed(collection_id=name))
        else:
            about = name if COLLECTION.fullmatch(name) else None
            self._error("not_subscribed", "this socket does not have this collection", about)

    def _error(self, code: str, message: str, collection_id: str | None = None) -> None:
        about = {} if collection_id is None else {"collection_id": collection_id}
        self._wire.say(Error(code=code, message=message, **about))

    def _refuse(self, close: int, code: str, message: str, collection_id: str | None = None) -> None:
        """Sends an ERROR message and closes the connection."""
        self._error(code, message, collection_id)
        self._wire.close(close, code)
        self._presence.stop()

    def _expired(self, reason: str) -> None:
        self._refuse(UNAUTHENTICATED, "unauthenticated", reason)
