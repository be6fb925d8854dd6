"""Finds batches, uploads and files by the beginning of their id, and gives the shell its completions."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID

import httpx

from quire_cli import words
from quire_cli.api import Answered, Api, connect
from quire_cli.errors import CliError
from quire_cli.target import target

SEARCHED = 1_000
OFFERED = 50
COMPLETE_WITHIN_S = 3.0
BEGINNING = re.compile(r"[0-9a-f][0-9a-f-]{3,}")


async def whole(api: Api, given: str) -> str:
    """Returns the whole id of the batch whose id is `given` or begins with it.

    Raises CliError when `given` cannot be an id, or when no recent batch or more than one begins with it.
    """
    given = given.strip().lower()
    try:
        return str(UUID(given))
    except ValueError:
        if not BEGINNING.fullmatch(given):
            raise CliError(f"{given!r} is no id of a batch. `quire batches` lists them.") from None
    found = [view.batch_id for view in await api.batches(limit=SEARCHED) if view.batch_id.startswith(given)]
    if not found:
        raise CliError(f"None of the {SEARCHED:,} newest batches begins with {given}. `quire batches` lists them.")
    if len(found) > 1:
        raise CliError(f"{given} is how several batches begin: {', '.join(found)}. Give more of the one that you mean.")
    return found[0]


class Meant(NamedTuple):
    """An upload, a batch or a file, by its whole id; `kind` is request, batch or file."""

    kind: str
    id: str
    name: str


async def meant(api: Api, given: str, *, or_file: bool = False) -> Meant:
    """Returns the upload or batch whose id is `given` or begins with it; an upload goes before its batches. With `or_file`,
    also returns the file with the whole id `given`.

    Raises CliError when nothing is found, or when several ids begin with it.
    """
    given = given.strip().lower()
    try:
        return await _known(api, str(UUID(given)), or_file=or_file)
    except ValueError:
        if not BEGINNING.fullmatch(given):
            raise CliError(f"{given!r} is no id. `quire requests` and `quire batches` list them.") from None
    views = [view for view in await api.requests(limit=SEARCHED) if view.request_id.startswith(given)]
    if len(views) > 1:
        several = ", ".join(view.request_id for view in views)
        raise CliError(f"{given} is how several uploads begin: {several}. Give more of the one that you mean.")
    if views:
        return Meant("request", views[0].request_id, views[0].name)
    batch_id = await whole(api, given)
    return Meant("batch", batch_id, batch_id)


async def _known(api: Api, whole_id: str, *, or_file: bool) -> Meant:
    async def of_request() -> Meant:
        return Meant("request", whole_id, (await api.request(whole_id)).name)

    async def of_batch() -> Meant:
        return Meant("batch", (await api.batch(whole_id)).batch_id, whole_id)

    async def of_file() -> Meant:
        return Meant("file", whole_id, (await api.file(whole_id)).original_filename)

    *first, last = [of_request, of_batch, of_file] if or_file else [of_request, of_batch]
    for ask in first:
        try:
            return await ask()
        except Answered as error:
            if error.status != 404:
                raise
    return await last()


def recent() -> list[tuple[str, str]]:
    """Returns the ids of the newest batches, each with its status and number of files to tell it apart."""

    async def ask(api: Api) -> list[tuple[str, str]]:
        return [(view.batch_id, f"{view.status}, {words.files(view.total)}") for view in await api.batches(limit=OFFERED)]

    return _offered(ask)


def collections() -> list[tuple[str, str]]:
    async def ask(api: Api) -> list[tuple[str, str]]:
        return [(name, "") for name in await api.collections()]

    return _offered(ask)


def _offered(ask: Callable[[Api], Awaitable[list[tuple[str, str]]]]) -> list[tuple[str, str]]:
    """Returns Quire's answer, or an empty list on an error or after COMPLETE_WITHIN_S: completion must not print errors."""

    async def within() -> list[tuple[str, str]]:
        async with asyncio.timeout(COMPLETE_WITHIN_S), connect(target(None, os.environ)) as api:
            return await ask(api)

    try:
        return asyncio.run(within())
    except (CliError, TimeoutError, httpx.HTTPError):
        return []
