"""Subscriptions where no WebSocket is possible: over Server-Sent Events, or by polling the feed."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Raw, Struct

from quire_client.cursor import ANSWER_WITHIN_S, Cursor, Interrupted, Item, NoWay, Refused, decoded
from quire_client.over_socket import is_local
from quire_schemas.messages import Subscribed

POLL_S = 2.0
"""Seconds between two requests for the feed."""
POLL_FOR_S = 300.0
"""Seconds of polling after which the client tries the better ways again."""
PAGE = 500


class Problem(Struct, frozen=True):
    """The fields that are read of RFC 9457 problem JSON."""

    code: str
    detail: str = ""


class FeedPage(Struct, frozen=True):
    """The fields that are read of a page of the feed."""

    epoch: str
    items: list[Raw]
    next_cursor: int | None


async def over_events(url: str, cursor: Cursor, token: str | None) -> AsyncGenerator[Item]:
    """Yields the messages that the notifier at `url` sends as Server-Sent Events; ends only by an exception.

    Raises Interrupted, Refused or NoWay.
    """
    subscribed = False
    async with _client(url, cursor.collection, token) as client:
        try:
            async with client.stream("GET", "events", params=cursor.place()) as answer:
                await _check(answer, "text/event-stream")
                async for data in _data(answer):
                    if (message := cursor.take(decoded(data))) is not None:
                        subscribed = True
                        yield message
        except httpx.TransportError as error:
            raise _broken(error, subscribed=subscribed) from error
    raise Interrupted("the event stream ended") if subscribed else NoWay("an event stream ended early", passing=True)


async def over_polling(url: str, cursor: Cursor, token: str | None) -> AsyncGenerator[Item]:
    """Yields the messages of the notifier at `url` by polling; ends after POLL_FOR_S. Raises Interrupted, Refused or NoWay."""
    subscribed, until = False, time.monotonic() + POLL_FOR_S
    async with _client(url, cursor.collection, token) as client:
        while True:
            try:
                page = await _feed(client, cursor) if cursor.seq is not None else None
                frames = await _snapshot(client) if page is None else page.items
            except httpx.TransportError as error:
                raise _broken(error, subscribed=subscribed) from error
            messages = [decoded(frame) for frame in frames]
            if page is not None and not subscribed:
                first = Subscribed(collection_id=cursor.collection, epoch=page.epoch, seq=cursor.seq or 0, recovered=True)
                messages.insert(0, first)
            for each in messages:
                if (message := cursor.take(each)) is not None:
                    subscribed = True
                    yield message
            if page is not None and page.next_cursor is None:
                if time.monotonic() > until:
                    return
                await asyncio.sleep(POLL_S)


async def _feed(client: httpx.AsyncClient, cursor: Cursor) -> FeedPage | None:
    """Returns the next page of the feed. Returns None, and resets the cursor, when the feed cannot be resumed at its place."""
    answer = await client.get("feed", params={**cursor.place(), "limit": str(PAGE)})
    if answer.status_code == 410:
        cursor.start_over()
        return None
    await _check(answer, "application/json")
    return msgspec.json.decode(answer.content, type=FeedPage)


async def _snapshot(client: httpx.AsyncClient) -> list[Raw]:
    answer = await client.get("snapshot")
    await _check(answer, "application/json")
    return msgspec.json.decode(answer.content, type=list[Raw])


@asynccontextmanager
async def _client(url: str, collection: str, token: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """Opens an HTTP client whose paths are relative to the collection."""
    base = f"{url}/api/collections/{quote(collection, safe='')}/"
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    timeout = httpx.Timeout(ANSWER_WITHIN_S, connect=10)  # an event stream gives a sign of life every 15 s
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=timeout, trust_env=not is_local(url)) as client:
        yield client


async def _check(answer: httpx.Response, media_type: str) -> None:
    """Checks that the answer is a success of the media type. Raises NoWay for an answer that is not Quire's, Interrupted for an
    error that may pass, Refused for any other error.
    """
    if answer.is_success and answer.headers.get("content-type", "").startswith(media_type):
        return
    status = answer.status_code
    passing = status >= 500 or status == 429
    try:
        problem = msgspec.json.decode(await answer.aread(), type=Problem)
    except msgspec.DecodeError:
        where = str(answer.request.url.copy_with(query=None))
        raise NoWay(f"{where} answered {status} {answer.reason_phrase}, and not as Quire does", passing=passing) from None
    reason = f"{problem.detail.rstrip('.')} ({problem.code})"
    raise Interrupted(reason) if passing else Refused(reason, problem.code)


def _broken(error: httpx.TransportError, *, subscribed: bool) -> Exception:
    reason = str(error) or type(error).__name__
    if subscribed or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Interrupted(reason)
    return NoWay(f"no answer over HTTP ({reason})", passing=True)


async def _data(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Yields the data of each event, which a notifier writes on one line. Only a line feed ends a line."""
    rest = b""
    async for chunk in answer.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                yield line.removeprefix(b"data: ")
