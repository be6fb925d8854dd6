"""A subscription from Python that survives lost connections.

    async with aclosing(subscribe("http://127.0.0.1:8000", "default")) as feed:
        async for message in feed:
            ...

Each connection begins with a `Subscribed`; feed messages come once each, in order, through all of them. A `Subscribed` that is
not `recovered` brings a snapshot: it is the first one, or messages in between are gone (the feed was rebuilt or pruned), and
what was known before has to be asked for again. It holds the oldest 500 active batches at most, without their files: docs/api.md
says how to get the others.

A connection is a WebSocket; where something in front of the notifier lets none through, an event stream; where not even that
passes, the feed is asked for now and then.
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
    """There was no connection to the notifier for longer than was to be waited."""


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
    """Messages of `collection` from the notifier at `url` (http(s):// or ws(s)://); to be closed with `aclosing`.

    `after`, `epoch`: go on behind a message got earlier. `token`: for QUIRE_AUTH=jwt; a function is asked at each connection,
    so that an expired one is renewed. `on_lost(reason, pause)` is told when a connection is lost, and in how many seconds the
    next one is tried; `on_fallback(sentence)`, why there is no WebSocket and what is done instead. Raises Refused; and
    NotifierAway when nothing connects for `give_up_after` seconds (None: never).
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
            if not (subscribed and callable(token) and error.code == "unauthenticated"):  # a new token can be had
                raise
            reason = str(error)
        if subscribed:
            attempt, away_since = 0, time.monotonic()
            if not reason:  # it ended by itself, to look for a better way
                continue
        pause = random.uniform(0.5, 1) * min(LONGEST_PAUSE_S, 0.5 * 2**attempt)  # noqa: S311 -- spreads clients, hides nothing
        if give_up_after is not None and time.monotonic() + pause - away_since > give_up_after:
            raise NotifierAway(f"no connection to {address} for {give_up_after:.0f} s: {reason}")
        if on_lost is not None:
            on_lost(reason, pause)
        await asyncio.sleep(pause)
        attempt += 1


def base_url(url: str) -> str:
    """The http(s):// address of the notifier at `url`, without a slash at its end; raises Refused where that is no URL."""
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
    """What is told of a fallback: once, and when it works."""

    def __init__(self, tell: OnFallback | None) -> None:
        self._tell = tell
        self._last = self.next = ""

    def now(self) -> None:
        if self.next and self.next != self._last and self._tell is not None:
            self._tell(self.next)
        self._last = self.next


async def _by_any_way(address: str, cursor: Cursor, token: Token, told: _Told) -> AsyncGenerator[Item]:
    """By the first way that leads to the notifier. Raises Interrupted, Refused."""
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
