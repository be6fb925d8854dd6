"""`quire cancel` and `quire retry`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from quire_cli import options
from quire_cli.api import Api, connect
from quire_cli.console import json_line, say
from quire_cli.errors import CliError
from quire_cli.ids import whole
from quire_cli.target import Target
from quire_schemas.views import CommandAccepted


def cancel(
    batch_id: options.BatchId,
    *,
    reason: Annotated[str | None, typer.Option(help="Why; everybody who watches sees it.")] = None,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """Cancel a batch; files that are processed stay so."""

    async def ask(target: Target) -> CommandAccepted:
        async with connect(target) as api:
            return await api.cancel(await whole(api, batch_id), reason)

    tell(options.run(lambda: ask(options.here(url))), "The batch is being cancelled", as_json=as_json)


def retry(
    batch_id: options.BatchId,
    *,
    file: Annotated[list[str] | None, typer.Option("--file", help="Only this file, by id or name; may be given again.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Although the batch has not ended.")] = False,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """Process the failed and cancelled files of a batch again."""

    async def ask(target: Target) -> CommandAccepted:
        async with connect(target) as api:
            meant = await whole(api, batch_id)
            return await api.retry(meant, await file_ids(api, meant, file or ()), force=force)

    accepted = options.run(lambda: ask(options.here(url)))
    tell(accepted, f"The batch is queued again, generation {accepted.generation}", as_json=as_json)


async def file_ids(api: Api, batch_id: str, wanted: Sequence[str]) -> list[str]:
    """Ids of files named by id or filename; raises CliError for one that the batch does not have."""
    if not wanted:
        return []
    files = (await api.batch(batch_id)).files or []
    found: list[str] = []
    for name in wanted:
        matching = [file.file_id for file in files if name in {file.file_id, file.original_filename}]
        if not matching:
            raise CliError(f"The batch has no file {name!r}. `quire batch {batch_id}` lists them.")
        found += [file_id for file_id in matching if file_id not in found]
    return found


def tell(accepted: CommandAccepted, sentence: str, *, as_json: bool) -> None:
    if as_json:
        json_line(accepted)
    else:
        say(f"{sentence}. See `quire batch {accepted.batch_id}`.")
