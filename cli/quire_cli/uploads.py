"""`quire requests`, `quire wait`, `quire open`: uploads as they were sent."""

from __future__ import annotations

import asyncio
import time
import webbrowser
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from quire_cli import options, tables, words
from quire_cli.api import Api, connect
from quire_cli.console import json_line, say, tell_all, warn
from quire_cli.errors import NOT_ALL, USAGE, CliError
from quire_cli.ids import Meant, meant
from quire_cli.target import Target
from quire_schemas.events import TERMINAL
from quire_schemas.views import BatchView, RequestView

Uploads = Annotated[
    list[str], typer.Argument(metavar="ID…", help="Ids of uploads or batches, or how they begin; `quire requests` shows them.")
]
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 3.0


def requests(
    *,
    collection: options.OfCollection = None,
    status: options.OfStatus = None,
    limit: options.Newest = 20,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """List uploads, the newest first."""
    statuses = options.known_statuses(status)

    async def ask(target: Target) -> list[RequestView]:
        async with connect(target) as api:
            return await api.requests(limit=limit, collection_id=collection, status=statuses)

    found = options.run(lambda: ask(options.here(url)))
    tell_all(found, partial(tables.uploads, now=datetime.now(UTC)), as_json=as_json, nothing="There are no such uploads.")


def wait(
    ids: Uploads,
    *,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait at most; else as long as it takes.")] = None,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """Wait until uploads or batches have ended; exit code 1 when a file failed or was cancelled, 2 when the time is up."""

    async def ask(target: Target) -> list[RequestView | BatchView]:
        async with connect(target) as api:
            until = None if timeout is None else time.monotonic() + timeout
            return [await ended(api, await meant(api, given), until) for given in ids]

    found = options.run(lambda: ask(options.here(url)))
    for each in found:
        if as_json:
            json_line(each)
        else:
            say(line_of(each))
    raise typer.Exit(max(outcome(each) for each in found))


def open_page(
    upload: Annotated[str, typer.Argument(metavar="ID", help="Id of an upload or a batch, or how it begins.")],
    *,
    url: options.Url = None,
) -> None:
    """Show an upload or a batch in the browser."""

    async def ask(target: Target) -> str:
        async with connect(target) as api:
            found = await meant(api, upload)
            return f"{target.notifier}/{'uploads' if found.kind == 'request' else 'batches'}/{found.id}"

    address = options.run(lambda: ask(options.here(url)))
    say(address)
    if not webbrowser.open(address):
        warn("No browser could be started: open the address yourself.")


async def ended(api: Api, found: Meant, until: float | None) -> RequestView | BatchView:
    """Polls the upload or batch until it has ended; returns its view.

    Raises CliError when it has not ended at `until`, a time of the monotonic clock; None waits for ever.
    """
    pause = FIRST_PAUSE_S
    while True:
        view = await (api.request(found.id) if found.kind == "request" else api.batch(found.id))
        if view.status in TERMINAL:
            return view
        if until is not None and time.monotonic() + pause > until:
            raise CliError(f"{words.short(found.id)} has not ended yet: {line_of(view)}")
        await asyncio.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE_S)


def outcome(view: RequestView | BatchView) -> int:
    if view.status not in TERMINAL:
        return USAGE
    return 0 if view.status == "completed" else NOT_ALL


def line_of(view: RequestView | BatchView) -> str:
    """Returns an upload or batch as a line: "3f2a91bc March: completed, 600 of 600 processed, in 1:12 min"."""
    if isinstance(view, BatchView):
        name, counts = words.short(view.batch_id), (view.processed, view.failed, view.cancelled, view.total)
    else:
        name = f"{words.short(view.request_id)} {view.name}"
        counts = (view.files.processed, view.files.failed, view.files.cancelled, view.files.total)
    processed, failed, cancelled, total = counts
    parts = [f"{processed} of {total} processed"]
    parts += [f"{count} {what}" for count, what in ((failed, "failed"), (cancelled, "cancelled")) if count]
    if view.started_at is not None and view.ended_at is not None:
        parts.append(f"in {words.duration((view.ended_at - view.started_at).total_seconds())}")
    return f"{name}: {words.status(view.status)}, {', '.join(parts)}"
