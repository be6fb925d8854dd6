"""`quire cancel` and `quire retry`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from quire_cli import options, words
from quire_cli.api import Api, connect
from quire_cli.console import json_line, say
from quire_cli.errors import CliError
from quire_cli.ids import meant
from quire_cli.target import Target
from quire_schemas.views import CommandAccepted, RequestCommandAccepted

Accepted = CommandAccepted | RequestCommandAccepted
ACCEPTED = 202


def cancel(
    batch_id: options.BatchId,
    *,
    reason: Annotated[str | None, typer.Option(help="Why; everybody who watches sees it.")] = None,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """Cancel an upload or a batch; files that are processed stay so."""

    async def ask(target: Target) -> Accepted:
        async with connect(target) as api:
            found = await meant(api, batch_id)
            return await (api.cancel_request if found.kind == "request" else api.cancel)(found.id, reason)

    tell(options.run(lambda: ask(options.here(url))), "is being cancelled", as_json=as_json)


def retry(
    batch_id: options.BatchId,
    *,
    file: Annotated[list[str] | None, typer.Option("--file", help="Only this file, by id or name; may be given again.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Although the batch has not ended.")] = False,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """Process the failed and cancelled files of an upload or a batch again."""

    async def ask(target: Target) -> Accepted:
        async with connect(target) as api:
            found = await meant(api, batch_id)
            if found.kind == "request" and (file or force):
                raise CliError("--file and --force are for one batch: `quire batches` lists those of the upload.")
            if found.kind == "request":
                return await api.retry_request(found.id, [])
            return await api.retry(found.id, await file_ids(api, found.id, file or ()), force=force)

    accepted = options.run(lambda: ask(options.here(url)))
    again = f", generation {accepted.generation}" if isinstance(accepted, CommandAccepted) else ""
    tell(accepted, f"is queued again{again}", as_json=as_json)


async def file_ids(api: Api, batch_id: str, wanted: Sequence[str]) -> list[str]:
    """Returns the ids of files that are named by id or filename. Raises CliError for a file that the batch does not have."""
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


def tell(accepted: Accepted, what: str, *, as_json: bool) -> None:
    if as_json:
        json_line(accepted)
    elif isinstance(accepted, CommandAccepted):
        say(f"The batch {what}. See `quire batch {accepted.batch_id}`.")
    else:
        others = [each for each in accepted.batches if each.status != ACCEPTED]
        but = (
            f"; {words.batches(len(others))} said no ({', '.join(sorted({str(each.code) for each in others}))})" if others else ""
        )
        say(f"The upload {what}: {words.batches(len(accepted.batches) - len(others))}{but}. See `quire requests`.")
