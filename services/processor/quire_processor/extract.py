"""Extracts text, metadata and a thumbnail of one PDF. Runs in worker processes only, because PDF libraries crash and hang.

1. The file is opened (`sources`).
2. The text of each page is written to `rows`; `notices` are made of what was found on the way.
3. The text is reported by `on_text`, before the picture is drawn.
4. The picture of the first page is drawn. Where this fails, the text is kept.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import structs

from quire_processor.evidence import File
from quire_processor.limits import Limits
from quire_processor.metadata import tidy, title
from quire_processor.notices import no_thumbnail, notices
from quire_processor.opening import Refused
from quire_processor.reading import MAX_UNREADABLE, OnPage, Reading
from quire_processor.sources import Source, source_of
from quire_schemas.text import scrub

__all__ = ["OnText", "Refused", "Rows", "extract", "read"]

OnText = Callable[[Reading], None]
"""Called with the reading of a file, once all of its text is written to the rows."""


class Rows(Protocol):
    """Takes the text of the pages, one line for each: the page's number, a tab, and the text.

    Backslash, tab and newline in the text are escaped as for Postgres' COPY.
    """

    def write(self, line: str, /) -> object: ...


def extract(source: Path, target: Path, limits: Limits, on_page: OnPage, on_text: OnText | None = None) -> Reading:
    """Writes `pages.tsv` and, where drawing works, `thumbnail.jpg` to the directory `target`. Raises Refused."""
    with (target / "pages.tsv").open("w", encoding="utf-8", newline="") as rows:

        def written(reading: Reading) -> None:
            rows.flush()
            if on_text is not None:
                on_text(reading)

        reading, picture = read(source, rows, limits, on_page, written)
    if picture is not None:
        (target / "thumbnail.jpg").write_bytes(picture)
    return reading


def read(source: File, rows: Rows, limits: Limits, on_page: OnPage, on_text: OnText) -> tuple[Reading, bytes | None]:
    """Returns the reading of the file, and its picture as a JPEG file, or None. Raises Refused."""
    deadline = time.process_time() + limits.cpu_seconds
    with source_of(source) as opened:
        _write_pages(opened, rows, limits, deadline, on_page)
        reading = _reading(opened)
        on_text(reading)
        return _pictured(opened, reading) if limits.pictures else (reading, None)


def _write_pages(source: Source, rows: Rows, limits: Limits, deadline: float, on_page: OnPage) -> None:
    found, count = source.found, source.found.page_count
    if count > limits.pages:
        message = f"The file has {count} pages, at most {limits.pages} are allowed. Split it and upload the parts."
        raise Refused("too_many_pages", message)
    for number in range(1, count + 1):
        text, room = _text(source, number), limits.characters - found.characters
        found.read(number, text[:room])
        rows.write(f"{number}\t{_escaped(text[:room])}\n")
        on_page(number, count)
        if len(text) > room or (number < count and len(text) == room):
            found.cut(f"after {limits.characters:,} characters", within=len(text) > room)
        elif number < count and time.process_time() > deadline:
            found.cut(f"after {limits.cpu_seconds:g} s of computing")
        if found.cut_after:
            break


def _text(source: Source, number: int) -> str:
    """Returns the text of a page. A page that cannot be read is noted and has an empty text; other pages are not affected."""
    try:
        text = source.text(number - 1)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- pypdf raises anything
        source.found.unreadable.append(number)
        return ""
    return scrub(text.replace("\r\n", "\n").replace("\r", "\n"), keep_lines=True)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _reading(source: Source) -> Reading:
    found, metadata = source.found, tidy(source.metadata())
    return Reading(
        page_count=found.page_count,
        rows=found.pages_read + len(found.unreadable),
        pages_read=found.pages_read,
        characters=found.characters,
        truncated=bool(found.cut_after),
        title=title(metadata.get("Title", "")) or title(source.title()),
        metadata=metadata,
        notices=notices(found),
        unreadable=tuple(found.unreadable[:MAX_UNREADABLE]),
        cut=found.cut_within,
    )


def _pictured(source: Source, reading: Reading) -> tuple[Reading, bytes | None]:
    try:
        picture = source.draw()
    except MemoryError:
        reason = "drawing it takes too much memory"
    except Exception:  # noqa: BLE001 -- a file without a picture is still a processed file
        reason = "it cannot be drawn"
    else:
        return structs.replace(reading, thumbnail=True), picture
    return structs.replace(reading, notices=(*reading.notices, no_thumbnail(reason))), None
