"""`quire batches`, `quire batch`, `quire stuck`: batches as the notifier knows them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from quire_cli import options, tables, words
from quire_cli.api import Api, connect
from quire_cli.console import json_line, output, say, tell_all
from quire_cli.errors import NOT_ALL
from quire_cli.ids import whole
from quire_cli.target import Target
from quire_cli.uploads import line_of
from quire_schemas.views import BatchView


def batches(
    *,
    collection: options.OfCollection = None,
    status: options.OfStatus = None,
    limit: options.Newest = 20,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """List batches, the newest first."""
    statuses = options.known_statuses(status)

    async def ask(target: Target) -> list[BatchView]:
        async with connect(target) as api:
            return await api.batches(limit=limit, collection_id=collection, status=statuses)

    found = options.run(lambda: ask(options.here(url)))
    tell_all(found, partial(tables.listing, now=datetime.now(UTC)), as_json=as_json, nothing="There are no such batches.")


def batch(batch_id: options.BatchId, *, url: options.Url = None, as_json: options.Json = False) -> None:
    """Show a batch and its files."""

    async def ask(target: Target) -> BatchView:
        async with connect(target) as api:
            return await api.batch(await whole(api, batch_id))

    found = options.run(lambda: ask(options.here(url)))
    if as_json:
        json_line(found)
        return
    say(f"{found.batch_id} in {found.collection_id}")
    say(line_of(found).partition(": ")[2])
    if found.error_code:
        say(f"{found.error_code}: {found.error_message or ''}")
    for part in tables.contents(found):
        output().print(part, soft_wrap=False)


def stuck(
    *,
    older_than: Annotated[float, typer.Option(min=0, max=1e9, help="Seconds without a sign of life.")] = 60,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """List batches that are processing without a sign of life; exit code 1 when there are some."""

    async def ask(target: Target) -> tuple[list[BatchView], str]:
        async with connect(target) as api:
            found = await api.stuck(older_than)
            return found, "" if found or as_json else await _none_is_stuck(api, older_than)

    found, nothing = options.run(lambda: ask(options.here(url)))
    tell_all(found, partial(tables.listing, now=datetime.now(UTC), stuck=True), as_json=as_json, nothing=nothing)
    raise typer.Exit(NOT_ALL if found else 0)


async def _none_is_stuck(api: Api, older_than: float) -> str:
    """Returns what there is instead: where no processor runs, no batch is stuck, and all of them wait."""
    working, queued = await api.batches(limit=1, status="processing"), await api.oldest_queued()
    said = (
        f"Every batch that is processing gave a sign of life in the last {older_than:g} s."
        if working
        else "No batch is processing."
    )
    waiting = "" if queued is None else f" The oldest that is queued has waited for {words.age(queued.created_at)}."
    return said + waiting
