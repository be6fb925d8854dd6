"""Tables of batches, files and uploads for a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from datetime import datetime

from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from quire_cli import words
from quire_cli.console import coloured
from quire_client import Batch
from quire_schemas.views import BatchView, FilePosition, RequestView

QUIET_S = 30.0
"""Seconds without a sign of life after which the table says so: heartbeats come every 15 s."""


def live(batches: Iterable[Batch], now: datetime) -> Table:
    """Returns a row for each batch: a progress bar, and what is being worked on right now."""
    table = Table.grid(padding=(0, 1), expand=True)
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, ratio=1)  # takes the rest of the line; longer text is cut off
    for batch in batches:
        bar = ProgressBar(total=max(1, batch.total), completed=batch.settled, width=20)
        status = coloured(batch.status.replace("_", " "), words.COLOURS[batch.status])
        progress = Text(f"{batch.settled}/{batch.total}")
        table.add_row(Text(words.short(batch.batch_id)), status, bar, progress, doing(batch, now))
    return table


def doing(batch: Batch, now: datetime) -> Text:
    """Returns what a batch does now. Problems come first, because the line is cut off at its end."""
    parts: list[Text] = []
    if failed := batch.count("failed"):
        parts.append(coloured(f"{failed} failed", "red"))
    if batch.waiting_for:
        parts.append(coloured(f"waiting for {', '.join(batch.waiting_for)}", "yellow"))
    if batch.attempt > 1:
        parts.append(coloured(f"attempt {batch.attempt}", "yellow"))
    quiet = batch.status == "processing" and batch.seen_at is not None and (now - batch.seen_at).total_seconds() > QUIET_S
    if quiet:
        parts.append(coloured(f"no sign of life for {words.age(batch.seen_at, now)}", "yellow"))
    if batch.in_flight and not batch.ended:
        parts.append(coloured(now_at(batch, batch.in_flight), ""))
    return Text(", ").join(parts)


def now_at(batch: Batch, in_flight: list[FilePosition]) -> str:
    """Returns which files are being worked on: "extracting report.pdf, page 4 of 80, and 3 more"."""
    first = next((each for each in in_flight if each.stage == "extracting"), in_flight[0])
    file = batch.files.get(first.file_id)
    name = first.filename or (file.filename if file else first.file_id)
    page = f", page {first.page} of {first.pages}" if first.page and first.pages else ""
    more = f", and {len(in_flight) - 1} more" if len(in_flight) > 1 else ""
    return f"{first.stage} {name}{page}{more}"


def listing(batches: Iterable[BatchView], now: datetime, *, stuck: bool = False) -> Table:
    """Returns a table of batches. With `stuck`, its last column is the worker instead of the time that the batch took."""
    table = _plain_table("batch", "collection", "status", "files", "done", "failed", "age", "seen", "worker" if stuck else "took")
    _shorten(table, 1, 71)
    for batch in batches:
        table.add_row(
            _id(batch.batch_id),
            batch.collection_id,
            coloured(words.status(batch.status), words.COLOURS[batch.status]),
            str(batch.total),
            str(batch.processed),
            str(batch.failed or ""),
            words.age(batch.created_at, now),
            "" if batch.ended_at else words.age(batch.last_seen_at, now),
            coloured(batch.worker or "", "") if stuck else _took(batch.started_at, batch.ended_at),
        )
    return table


def contents(batch: BatchView) -> Iterable[Table | Text | Padding]:
    """Returns a table of the batch's files, then the errors and notices of single files at full length."""
    table = _plain_table("file", "name", "size", "status", "pages", "took")
    _shorten(table, 1, 50)
    for file in batch.files or ():
        table.add_row(
            _id(file.file_id),
            coloured(file.original_filename, ""),
            words.size(file.file_size),
            coloured(file.processing_status, words.COLOURS[file.processing_status]),
            "" if file.page_count is None else str(file.page_count),
            "" if file.duration_ms is None else words.duration(file.duration_ms / 1000),
        )
    yield table
    for file in batch.files or ():
        failed = f"{file.error_code}: {file.error_message or ''}".rstrip(": ") if file.error_code else ""
        if said := failed or words.noticed(file.notices):
            yield coloured(file.original_filename, "bold")
            yield Padding(coloured(said, ""), (0, 0, 0, 2))


def uploads(found: Iterable[RequestView], now: datetime) -> Table:
    table = _plain_table("upload", "name", "status", "files", "failed", "age", "time")
    _shorten(table, 1, 63)
    for view in found:
        settled = view.files.total - view.files.queued - view.files.processing
        table.add_row(
            _id(view.request_id),
            coloured(view.name, ""),
            coloured(words.status(view.status), words.COLOURS[view.status]),
            f"{settled}/{view.files.total}" if view.ended_at is None else str(view.files.total),
            str(view.files.failed or ""),
            words.age(view.created_at, now),
            _took(view.started_at, view.ended_at) if view.eta_seconds is None else f"{words.duration(view.eta_seconds)} left",
        )
    return table


def _took(started: datetime | None, ended: datetime | None) -> str:
    return "" if started is None or ended is None else words.duration((ended - started).total_seconds())


def _id(whole: str) -> str:
    """Returns the id's first eight letters on a terminal, enough for every command; the whole id elsewhere."""
    return words.short(whole) if sys.stdout.isatty() else whole


def _shorten(table: Table, column: int, others: int) -> None:
    """Limits a column, on a terminal, to the width that the other columns leave; they need up to `others` letters."""
    if sys.stdout.isatty():
        meant = table.columns[column]
        meant.no_wrap, meant.overflow = True, "ellipsis"
        meant.max_width = max(8, shutil.get_terminal_size().columns - others)


def _plain_table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, no_wrap=name not in {"name", "collection"}, overflow="fold")
    return table
