"""Writes sizes, times and outcomes as text for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from quire_client import Batch, File
from quire_schemas.fields import Notice
from quire_schemas.text import scrub

NAMED_AT_MOST = 20
MARKS = {"processed": "✓", "failed": "✗", "cancelled": "-", "processing": "…", "queued": "·"}
COLOURS = {
    "processed": "green",
    "completed": "green",
    "completed_with_errors": "yellow",
    "failed": "red",
    "cancelled": "yellow",
    "processing": "cyan",
    "queued": "dim",
}


def size(count: float) -> str:
    """Returns a number of bytes as text, in powers of 1000: "3.4 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def age(then: datetime | None, now: datetime | None = None) -> str:
    """Returns how long ago `then` was: "4 s", "3 min", "2 h", "5 d"."""
    if then is None:
        return "-"
    seconds = max(0.0, ((now or datetime.now(UTC)) - then).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def status(name: str) -> str:
    """Returns the status of a batch or an upload in few letters."""
    return name.replace("completed_with_errors", "with errors")


def files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def batches(count: int, kind: str = "") -> str:
    """Returns a count of batches: "3 active batches", where `kind` is "active"."""
    return f"{count:,} {kind}{' ' if kind else ''}{'batch' if count == 1 else 'batches'}"


def several(ids: Collection[str]) -> str:
    """Returns the short ids of at most NAMED_AT_MOST batches, and how many more there are."""
    more = f" and {len(ids) - NAMED_AT_MOST:,} more" if len(ids) > NAMED_AT_MOST else ""
    return " ".join(map(short, sorted(ids)[:NAMED_AT_MOST])) + more


def short(batch_id: str) -> str:
    return batch_id[:8]


def outcome(file: File) -> str:
    """Returns the text that follows the name of a settled file: its pages and notices, or why it failed."""
    if file.standing == "processed":
        pages = "" if file.pages is None else "1 page" if file.pages == 1 else f"{file.pages:,} pages"
        return ", ".join(part for part in (pages, noticed(file.notices)) if part)
    if file.standing == "failed":
        return f"{file.code}: {scrub(file.message or '')}".rstrip(": ")
    return file.standing


def noticed(notices: Iterable[Notice]) -> str:
    """Returns notices as text: "attachments (prices.xlsx): 1 file is attached, and its text is not read. …"."""
    names = ((notice, f" ({', '.join(notice.names)})" if notice.names else "") for notice in notices)
    return scrub(" ".join(f"{notice.code}{names}: {notice.message}" for notice, names in names))


def counts(batch: Batch) -> str:
    """Returns a batch's counts: "24 processed, 1 failed". Counts of zero are left out, except that of processed files."""
    parts = [f"{batch.count('processed')} processed"]
    parts += [f"{number} {standing}" for standing in ("failed", "cancelled") if (number := batch.count(standing))]
    return ", ".join(parts)


def end_of(batch: Batch) -> str:
    """Returns the line for a batch that has ended: its status, its counts, and its error or reason."""
    code = f" ({batch.code}: {scrub(batch.message or '')})" if batch.code else ""
    reason = f" ({scrub(batch.message)})" if batch.message and not batch.code else ""
    return f"batch {batch.batch_id} {batch.status}: {counts(batch)}{code}{reason}"
