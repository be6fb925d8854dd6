"""Options that several commands share, and how a command runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import typer

from quire_cli.errors import CliError
from quire_cli.ids import collections, recent
from quire_cli.target import Target, target
from quire_schemas.events import STATUSES
from quire_schemas.fields import COLLECTION

T = TypeVar("T")

Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="Address of the notifier.", envvar="QUIRE_URL", show_envvar=True, rich_help_panel="Where Quire is"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def collection_name(name: str | None) -> str | None:
    """Returns the name. Raises typer.BadParameter when it cannot be the name of a collection."""
    if name is not None and not COLLECTION.fullmatch(name):
        raise typer.BadParameter(f"{name!r} is no collection: it takes 1 to 128 of A-Z a-z 0-9 . _ -")
    return name


Collection = Annotated[
    str,
    typer.Option("--collection", "-c", help="Name of the collection.", autocompletion=collections, callback=collection_name),
]
OfCollection = Annotated[
    str | None,
    typer.Option("--collection", "-c", help="Only of this collection.", autocompletion=collections, callback=collection_name),
]
OfStatus = Annotated[
    list[str] | None,
    typer.Option(
        help=f"Only those that are {', '.join(STATUSES)}; several times for several.", autocompletion=lambda: list(STATUSES)
    ),
]
Newest = Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")]
BatchId = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the batch, or how it begins; `quire batches` shows it.", autocompletion=recent)
]


def known_statuses(status: list[str] | None) -> str | None:
    """Returns the statuses as the API takes them, joined by commas. Raises CliError for an unknown one."""
    if unknown := [each for each in status or () if each not in STATUSES]:
        raise CliError(f"{unknown[0]!r} is no status. Take one of: {', '.join(STATUSES)}")
    return ",".join(status) if status else None


def here(url: str | None) -> Target:
    """Returns the Quire that the command talks to. Raises CliError for a wrong address or token."""
    return target(url, os.environ)


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a command's coroutine and returns its result. Of several errors at the same time, raises the first CliError."""
    try:
        return asyncio.run(work())
    except BaseExceptionGroup as group:
        raise first(group) from group


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    told = group.subgroup(CliError) or group
    error = told.exceptions[0]
    return first(error) if isinstance(error, BaseExceptionGroup) else error
