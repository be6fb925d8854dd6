"""`quire submit`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quire_cli import options, words
from quire_cli.api import connect
from quire_cli.console import output, warn
from quire_cli.delivery import Delivery, View
from quire_cli.errors import CliError
from quire_cli.gather import Gathered, gather
from quire_cli.interrupts import keyboard, presses
from quire_cli.live import LiveView
from quire_cli.target import Target
from quire_cli.upload import Order, new_key
from quire_cli.views import JsonView, PlainView
from quire_schemas.events import POLICIES

NAMED_AT_MOST = 20
LONGEST_KEY = 200
NOTHING = "Name what to submit: PDF files, folders, patterns, or - for names from stdin, as in: quire submit report.pdf invoices/"


def submit(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH…", help="Files, folders (their *.pdf, at any depth), patterns; - reads names, one a line."),
    ] = None,
    *,
    collection: options.Collection = "default",
    policy: Annotated[
        str,
        typer.Option(
            help="isolate: a bad file fails alone. all_or_nothing: it fails its batch.", autocompletion=lambda: list(POLICIES)
        ),
    ] = POLICIES[0],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch until every file is done, or only upload.")] = True,
    key: Annotated[
        str | None,
        typer.Option(help="Idempotency-Key: the same files sent again under it are not doubled.", show_default="a new one"),
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to try again when Quire goes away in between.")] = 300,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """Submit PDFs and watch them being processed.

    Exit code: 0 all processed, 1 some failed, rejected, cancelled or unreadable, 2 usage or connection, 130 left by Ctrl-C.
    """
    if not paths:
        raise CliError(NOTHING)
    if policy not in POLICIES:
        raise CliError(f"{policy!r} is no policy. Take one of: {', '.join(POLICIES)}")
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY):
        raise CliError(f"{key!r} is no key. Take 1 to {LONGEST_KEY} printable ASCII characters.")
    target = options.here(url)
    gathered = gather(paths, sys.stdin.read)
    tell_what_is_left_out(gathered)
    if not gathered.files:
        raise CliError("There is nothing to submit: no PDF was found there. Name PDF files, or folders that hold some.")
    order = Order(collection, policy, key or new_key(), patience)
    raise typer.Exit(options.run(lambda: submitted(target, gathered, order, wait=wait, as_json=as_json)))


async def submitted(target: Target, gathered: Gathered, order: Order, *, wait: bool, as_json: bool) -> int:
    shown = view(as_json=as_json)
    try:
        async with connect(target) as api:
            await api.config()  # fails before anything is sent when no notifier answers
            with presses() as pressed:
                return await Delivery(api, gathered, order, shown, wait=wait).run(pressed)
    finally:
        shown.close()


def view(*, as_json: bool) -> View:
    if as_json:
        return JsonView()
    console = output()
    return LiveView(console, keyboard()) if console.is_terminal else PlainView()


def tell_what_is_left_out(gathered: Gathered) -> None:
    for unreadable in gathered.unreadable[:NAMED_AT_MOST]:
        warn(f"Cannot read {unreadable.path}: {unreadable.reason}")
    if len(gathered.unreadable) > NAMED_AT_MOST:
        warn(f"… and {len(gathered.unreadable) - NAMED_AT_MOST} more")
    if gathered.skipped:
        warn(f"Skipped {words.files(gathered.skipped)} in folders whose names do not end in .pdf")
