"""`quire watch`: shows a collection's batches live."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from msgspec import UNSET
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from quire_cli import options, tables, words
from quire_cli.api import Api, connect
from quire_cli.console import coloured, json_line, output, warn
from quire_cli.errors import Interrupted
from quire_cli.following import GOES_ON, Following
from quire_cli.interrupts import Pressed, presses
from quire_cli.target import Target
from quire_cli.views import TELL_ABOUT_LOSS_AFTER_S, PlainView
from quire_client import Item
from quire_schemas.messages import BatchCreatedMessage, BatchRetryMessage, BatchStartedMessage, Subscribed

REFRESH_S = 0.125
ENDED_ROWS = 10
ENDED_KEPT = 100


def watch(
    *,
    collection: options.Collection = "default",
    after: Annotated[int | None, typer.Option(help="With --json: go on behind this seq …")] = None,
    epoch: Annotated[str | None, typer.Option(help="… of this epoch.")] = None,
    patience: Annotated[
        float | None, typer.Option(help="Seconds to try again when Quire is away.", show_default="for ever")
    ] = None,
    url: options.Url = None,
    as_json: options.Json = False,
) -> None:
    """Watch a collection's batches live, through lost connections, until Ctrl-C."""
    target, console = options.here(url), output()
    shown: Shown = JsonLines() if as_json else LiveTable(console) if console.is_terminal else Lines()
    options.run(lambda: watched(target, collection, shown, after=after, epoch=epoch, patience=patience))


async def watched(
    target: Target, collection: str, shown: Shown, *, after: int | None, epoch: str | None, patience: float | None
) -> None:
    async with connect(target) as api:
        await api.config()  # fails at once when no notifier answers
        shown.following = Following(api, collection, shown, patience, everything=shown.everything)
        with presses() as pressed:
            await shown.prepare(api, collection)
            try:
                await pressed.unless_pressed(attended(shown, after, epoch))
            except Pressed:
                raise Interrupted("") from None
            finally:
                shown.close()


async def attended(shown: Shown, after: int | None, epoch: str | None) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(shown.following.run(after, epoch))
        while True:
            shown.refresh()
            shown.following.tracker.keep_ended(ENDED_KEPT)
            await asyncio.sleep(REFRESH_S)


class Shown:
    """Base class of the outputs of `quire watch`; it shows nothing itself."""

    following: Following
    everything = True
    """Whether all active batches are fetched, however many, or only the snapshot that the feed sends."""

    async def prepare(self, api: Api, collection: str) -> None:
        pass

    def heard(self, item: Item) -> None:
        pass

    def lost(self, reason: str, pause: float) -> None:
        pass

    def fell_back(self, sentence: str) -> None:
        warn(f"{sentence}.")

    def unwatched(self) -> str:
        return GOES_ON

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass


class JsonLines(Shown):
    """Prints every message of the feed, snapshots too, as a line of JSON."""

    everything = False

    def heard(self, item: Item) -> None:
        json_line(item)


class Lines(Shown):
    """Prints a line of text for each event."""

    def __init__(self) -> None:
        self._plain = PlainView()
        self._lost = False

    def heard(self, item: Item) -> None:
        if self._lost:
            self._lost = False
            self._plain.back()
        if isinstance(item, Subscribed):
            self._snapshot(item)
            return
        batch = self.following.tracker.batches[item.batch_id]
        if isinstance(item, BatchCreatedMessage):
            self._plain.tell(f"batch {item.batch_id} created: {words.files(batch.total)}")
        elif isinstance(item, BatchStartedMessage):
            self._plain.tell(f"batch {item.batch_id} processing, attempt {item.attempt}")
        elif isinstance(item, BatchRetryMessage):
            self._plain.tell(f"batch {item.batch_id} queued again: {words.files(len(item.file_ids))}")
        else:
            self._plain.message(item, batch)

    def lost(self, reason: str, pause: float) -> None:
        self._lost = True
        self._plain.lost(reason, pause)

    def _snapshot(self, item: Subscribed) -> None:
        active = [batch for batch in self.following.tracker.batches.values() if not batch.ended]
        for batch in active if item.snapshot is not UNSET else ():
            self._plain.tell(f"batch {batch.batch_id} {batch.status}: {batch.settled} of {words.files(batch.total)} done")


class LiveTable(Shown):
    """Shows all active batches and the batches that ended last as a table that is drawn anew."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._lost_since: float | None = None
        self._reason = ""
        self._collection = ""

    async def prepare(self, api: Api, collection: str) -> None:
        self._collection = collection
        self.following.tracker.put(await api.batches(limit=ENDED_ROWS, collection_id=collection))
        self._live.start()

    def heard(self, item: Item) -> None:  # noqa: ARG002 -- signature of Shown
        self._lost_since = None

    def lost(self, reason: str, pause: float) -> None:  # noqa: ARG002 -- signature of Shown
        self._lost_since, self._reason = self._lost_since or time.monotonic(), reason

    def fell_back(self, sentence: str) -> None:
        self._live.console.print(coloured(f"{sentence}.", "yellow"))

    def refresh(self) -> None:
        self._live.update(self._picture(), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def _picture(self) -> RenderableType:
        batches = list(self.following.tracker.batches.values())
        active = sorted((each for each in batches if not each.ended), key=lambda each: each.created_at)
        ended = sorted((each for each in batches if each.ended), key=lambda each: each.ended_at or each.created_at)[-ENDED_ROWS:]
        room = max(1, self._live.console.height - len(ended) - 4)
        rows: list[RenderableType] = [coloured(words.end_of(each), "dim") for each in ended]
        rows.append(Text(f"collection {self._collection}: {words.batches(len(active), 'active')}", style="bold"))
        rows.append(tables.live(active[:room], datetime.now(UTC)))
        if len(active) > room:
            rows.append(Text(f"and {len(active) - room} more", style="dim"))
        if self._lost_since and time.monotonic() - self._lost_since > TELL_ABOUT_LOSS_AFTER_S:
            rows.append(coloured(f"The connection is lost ({self._reason}). Trying again.", "yellow"))
        return Group(*rows)
