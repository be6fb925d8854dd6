"""Subscribes to a collection from Python, through lost connections.

    async with aclosing(subscribe("http://127.0.0.1:8000", "default")) as feed:
        async for message in feed:
            ...

Each connection begins with a `Subscribed`. Across all connections, each feed message comes once, in order. A `Subscribed` that
is not `recovered` has a snapshot. Either it is the first, or messages after the last one received are gone (the feed was
rebuilt or pruned); the client then has to ask again for the state of the batches that it knew. A snapshot holds at most the
oldest 500 active batches, without their files; docs/api.md says how to get the others.

A connection is a WebSocket. If a proxy lets no WebSocket through, it is an event stream; if it lets no event stream through,
the client polls the feed.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from quire_client.cursor import Cursor, Interrupted, Item, NoWay, Refused
from quire_client.over_http import POLL_S, over_events, over_polling
from quire_client.over_socket import over_websocket
from quire_schemas.tokens import UnfitToken, fit

LONGEST_PAUSE_S = 15.0

Token = str | Callable[[], str] | None
OnLost = Callable[[str, float], None]
OnFallback = Callable[[str], None]


class NotifierAway(Exception):
    """No connection to the notifier was possible for longer than `give_up_after` seconds."""


class Way(NamedTuple):
    follow: Callable[[str, Cursor, str | None], AsyncGenerator[Item]]
    instead: str


WAYS = (
    Way(over_websocket, ""),
    Way(over_events, "following by Server-Sent Events instead"),
    Way(over_polling, f"asking for news every {POLL_S:.0f} s instead"),
)


async def subscribe(
    url: str,
    collection: str,
    after: int | None = None,
    epoch: str | None = None,
    token: Token = None,
    *,
    on_lost: OnLost | None = None,
    on_fallback: OnFallback | None = None,
    give_up_after: float | None = None,
) -> AsyncGenerator[Item]:
    """Yields the messages of `collection` from the notifier at `url` (http(s):// or ws(s)://); close it with `aclosing`.

    `after` and `epoch` name a message received earlier; the feed then begins after it. `token` is needed for QUIRE_AUTH=jwt; a
    function is called at each connection, so that it can renew an expired token. `on_lost(reason, pause)` is called when a
    connection is lost; the next attempt is in `pause` seconds. `on_fallback(sentence)` is called when no WebSocket is possible;
    the sentence says why, and what is done instead.

    Raises Refused, and NotifierAway when no connection succeeds for `give_up_after` seconds (None: never).
    """
    cursor, told = Cursor(collection, after, epoch), _Told(on_fallback)
    address, attempt, away_since = base_url(url), 0, time.monotonic()
    while True:
        subscribed, reason = False, ""
        try:
            async with aclosing(_by_any_way(address, cursor, token, told)) as items:
                async for message in items:
                    subscribed = True
                    yield message
        except Interrupted as error:
            reason = str(error)
        except Refused as error:
            if not (subscribed and callable(token) and error.code == "unauthenticated"):  # `token` can give a new one
                raise
            reason = str(error)
        if subscribed:
            attempt, away_since = 0, time.monotonic()
            if not reason:  # polling ended by itself, to try the better ways again
                continue
        pause = random.uniform(0.5, 1) * min(LONGEST_PAUSE_S, 0.5 * 2**attempt)  # noqa: S311 -- spreads clients, no secret
        if give_up_after is not None and time.monotonic() + pause - away_since > give_up_after:
            raise NotifierAway(f"no connection to {address} for {give_up_after:.0f} s: {reason}")
        if on_lost is not None:
            on_lost(reason, pause)
        await asyncio.sleep(pause)
        attempt += 1


def base_url(url: str) -> str:
    """Returns the http(s):// address of the notifier at `url`, without a slash at its end. Raises Refused if it is no URL."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    scheme = {"http": "http", "https": "https", "ws": "http", "wss": "https"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise Refused(f"{url!r} is no address of a notifier: give one like http://127.0.0.1:8000")
    return urlunsplit((scheme, parts.netloc, parts.path.removesuffix("/").removesuffix("/ws").removesuffix("/"), "", ""))


def _fit(token: str | None) -> str | None:
    try:
        return fit(token, "the token") if token else None
    except UnfitToken as error:
        raise Refused(str(error), "unauthenticated") from None


class _Told:
    """Tells the caller about a fallback: once, and only when the fallback works."""

    def __init__(self, tell: OnFallback | None) -> None:
        self._tell = tell
        self._last = self.next = ""

    def now(self) -> None:
        if self.next and self.next != self._last and self._tell is not None:
            self._tell(self.next)
        self._last = self.next


async def _by_any_way(address: str, cursor: Cursor, token: Token, told: _Told) -> AsyncGenerator[Item]:
    """Yields messages by the first way that reaches the notifier. Raises Interrupted or Refused."""
    value = _fit(token() if callable(token) else token)
    failures: list[NoWay] = []
    leads = False
    for way in WAYS:
        try:
            async with aclosing(way.follow(address, cursor, value)) as items:
                told.next = "; ".join([*map(str, failures), way.instead]) if failures else ""
                async for item in items:
                    told.now()
                    leads = True
                    yield item
        except NoWay as error:
            if leads:
                raise Interrupted(str(error)) from error
            failures.append(error)
        else:
            return
    reasons = "; ".join(map(str, failures))
    raise Interrupted(reasons) if any(failure.passing for failure in failures) else Refused(reasons)
