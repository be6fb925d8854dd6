"""One WebSocket: its client's messages, its token, its subscriptions (docs/api.md, "WebSocket")."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any

from quire_notifier.pushing.admission import Admission
from quire_notifier.pushing.hub import Hub
from quire_notifier.pushing.subscription import Subscription, TooSlow
from quire_notifier.sockets.wire import BAD_MESSAGE, FORBIDDEN, TOO_MANY, TRY_AGAIN, UNAUTHENTICATED, Wire
from quire_runtime.auth import Authenticator, AuthUnavailable, Principal, Unauthenticated
from quire_schemas.events import COLLECTION
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
    """`principal` is None until a token has been accepted; until then a client may only authenticate and ping."""

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
        self._admission = admission
        self._authenticator = authenticator
        self._authenticate_seconds = authenticate_seconds
        self._max_subscriptions = max_subscriptions
        self._principal: Principal | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._waiting: list[Subscribe] = []  # asked for in the URL, before there is a token
        self._deadline: asyncio.TimerHandle | None = None
        self._tasks: asyncio.TaskGroup

    async def run(self, receive: Receive, principal: Principal | None, first: Sequence[Subscribe]) -> None:
        """Until the connection ends. `first` are subscribed to at once, or when there is a token."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._waiting = list(first)
                if principal is not None:
                    self._enter(principal)
                else:
                    self._expire_in(self._authenticate_seconds, "no token came in time")
                try:
                    while (message := await receive())["type"] == "websocket.receive":
                        await self._take(message.get("text"))
                finally:  # also when one of its tasks broke: nothing of it stays behind in a tail
                    self._stop()
        finally:
            self._leave()

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
            await self._wire.drained()  # who does not read is not read either
        except TooSlow:
            return

    async def _authenticate(self, token: str) -> None:
        try:
            principal = await self._authenticator.of_token(token)
        except Unauthenticated as error:
            self._refuse(UNAUTHENTICATED, "unauthenticated", error.detail)
        except AuthUnavailable as error:
            if self._principal is None:
                self._refuse(TRY_AGAIN, "auth_unavailable", error.detail)
            else:  # the token that it has is good for a while
                self._error("auth_unavailable", error.detail)
        else:
            self._enter(principal)
            self._wire.say(Authenticated(expires_at=principal.expires_at))

    def _enter(self, principal: Principal) -> None:
        """From now on it is this one who asks."""
        if self._principal is None or self._principal.subject != principal.subject:
            if principal.expires_at is not None and not self._admission.enter(principal.subject):
                self._refuse(TOO_MANY, "too_many_sockets", "this subject has too many connections open: close some")
                return
            self._leave()
        self._principal = principal
        if principal.expires_at is not None:
            self._expire_in((principal.expires_at - datetime.now(UTC)).total_seconds(), "the token has expired")
        for name in [name for name in self._subscriptions if not principal.may_read(name)]:
            self._refuse(FORBIDDEN, "forbidden", "the new token does not allow to read this collection", name)
        waiting, self._waiting = self._waiting, []
        for subscribe in waiting:
            self._subscribe(subscribe)

    def _subscribe(self, message: Subscribe) -> None:
        name = message.collection_id
        if self._principal is None:
            self._refuse(UNAUTHENTICATED, "unauthenticated", "send AUTHENTICATE with a token first", name)
        elif not COLLECTION.fullmatch(name):
            self._error("bad_collection_id", "a collection id is 1 to 128 of A-Z a-z 0-9 . _ -")
        elif not self._principal.may_read(name):
            self._refuse(FORBIDDEN, "forbidden", "the token does not allow to read this collection", name)
        elif name in self._subscriptions:
            self._error("already_subscribed", "this socket has this collection; UNSUBSCRIBE first to start over", name)
        elif len(self._subscriptions) >= self._max_subscriptions:
            self._error("too_many_subscriptions", f"a socket has {self._max_subscriptions} at most: open another one", name)
        else:
            subscription = self._subscriptions[name] = Subscription(self._hub, self._wire, name, self._tasks)
            subscription.start(message.after, message.epoch)

    def _unsubscribe(self, name: str) -> None:
        subscription = self._subscriptions.pop(name, None)
        if subscription is None:
            self._error(
                "not_subscribed", "this socket does not have this collection", name if COLLECTION.fullmatch(name) else None
            )
        else:
            subscription.stop()
            self._wire.say(Unsubscribed(collection_id=name))

    def _error(self, code: str, message: str, collection_id: str | None = None) -> None:
        about = {} if collection_id is None else {"collection_id": collection_id}
        self._wire.say(Error(code=code, message=message, **about))

    def _refuse(self, close: int, code: str, message: str, collection_id: str | None = None) -> None:
        """Says what was wrong, and ends the connection."""
        self._error(code, message, collection_id)
        self._wire.close(close, code)
        self._stop()

    def _expire_in(self, seconds: float, reason: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(
            max(0.0, seconds), self._refuse, UNAUTHENTICATED, "unauthenticated", reason
        )

    def _stop(self) -> None:
        """Ends every subscription."""
        for subscription in self._subscriptions.values():
            subscription.stop()
        self._subscriptions.clear()

    def _leave(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._principal is not None and self._principal.expires_at is not None:
            self._admission.leave(self._principal.subject)
        self._principal = None
