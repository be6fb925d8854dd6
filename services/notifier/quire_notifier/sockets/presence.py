"""The principal of a connection, when its token expires, and its subscriptions. Every protocol uses this."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from quire_notifier.pushing.admission import Admission
from quire_notifier.pushing.subscription import Subscription
from quire_runtime.auth import Principal
from quire_schemas.fields import COLLECTION

EXPIRED = "the token has expired"
Refusal = Literal["invalid_collection_id", "forbidden", "already_subscribed", "too_many_subscriptions"]


class Presence:
    """The state of one connection. `principal` is None until a token has been accepted. `expired(reason)` is called when the
    token expires, or when none came in time.
    """

    def __init__(self, admission: Admission, max_subscriptions: int, expired: Callable[[str], None]) -> None:
        self.principal: Principal | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self._admission = admission
        self._max_subscriptions = max_subscriptions
        self._expired = expired
        self._deadline: asyncio.TimerHandle | None = None

    def enter(self, principal: Principal) -> bool:
        """Makes this the connection's principal. Returns False, and changes nothing, when its
        subject has too many connections.
        """
        if self.principal is None or self.principal.subject != principal.subject:
            if principal.expires_at is not None and not self._admission.enter(principal.subject):
                return False
            self.leave()
        self.principal = principal
        self._forget_deadline()
        if principal.expires_at is not None:
            self.expire_in((principal.expires_at - datetime.now(UTC)).total_seconds(), EXPIRED)
        return True

    def expire_in(self, seconds: float, reason: str) -> None:
        self._forget_deadline()
        self._deadline = asyncio.get_running_loop().call_later(max(0.0, seconds), self._expired, reason)

    def refusal(self, collection_id: str) -> Refusal | None:
        """Returns why the principal may not subscribe to the collection, or None if it may."""
        if not COLLECTION.fullmatch(collection_id):
            return "invalid_collection_id"
        if self.principal is None or not self.principal.may_read(collection_id):
            return "forbidden"
        if collection_id in self.subscriptions:
            return "already_subscribed"
        return "too_many_subscriptions" if len(self.subscriptions) >= self._max_subscriptions else None

    def no_longer_allowed(self) -> list[str]:
        """Returns the subscribed collections that the principal may not read."""
        return [name for name in self.subscriptions if self.principal is None or not self.principal.may_read(name)]

    def unsubscribe(self, collection_id: str) -> bool:
        """Ends the subscription to a collection. Returns False when there is none."""
        subscription = self.subscriptions.pop(collection_id, None)
        if subscription is not None:
            subscription.stop()
        return subscription is not None

    def stop(self) -> None:
        """Ends every subscription."""
        for name in list(self.subscriptions):
            self.unsubscribe(name)

    def leave(self) -> None:
        """Removes the principal from the connection."""
        self._forget_deadline()
        if self.principal is not None and self.principal.expires_at is not None:
            self._admission.leave(self.principal.subject)
        self.principal = None

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
