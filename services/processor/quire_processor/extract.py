"""Text, metadata and a thumbnail of one PDF; runs in a worker process only, because PDF libraries crash and hang.

pypdfium2 reads what it can open: it is 13 times faster than pypdf and far closer to the true text of Chinese, Japanese,
Korean, Arabic and Hebrew (DESIGN §4). pypdf reads what pdfium cannot open.
"""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pypdfium2
import pypdfium2.raw as pdfium_c
from msgspec import Struct
from PIL import Image
from pypdf import PasswordType, PdfReader

from quire_processor.limits import Limits
from quire_schemas.events import MAX_TITLE_BYTES, FileCode
from quire_schemas.text import scrub, shorten

THUMBNAIL = (320, 452)  # pixels: an A4 page that fills a card
_MAX_METADATA = 32  # keys
_MAX_VALUE = 1024  # bytes
_HEADER_WITHIN = 1024  # bytes, as PDF readers have it

OnPage = Callable[[int, int], None]


class Refused(Exception):
    """The file cannot be processed; the message says why and what to do."""

    def __init__(self, code: FileCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Reading(Struct, frozen=True, kw_only=True):
    """What was read. `characters` counts the text of all pages that were read before a limit."""

    page_count: int
    title: str | None
    metadata: dict[str, str]
    truncated: bool
    characters: int
    thumbnail: bool


_ENCRYPTED = Refused("encrypted", "The file is protected by a password. Remove the password and upload it again.")
_FOR_RECIPIENTS = Refused(
    "encrypted", "The file can be opened by its recipients only. Save it without that protection and upload it again."
)
_CORRUPT = Refused("corrupt", "The file is damaged and cannot be read. Open it in a PDF program, save it anew, and upload that.")


def extract(source: Path, target: Path, limits: Limits, on_page: OnPage) -> Reading:
    """Write `text.json`, `pages.tsv` and, where it works, `thumbnail.webp` to `target`; raises Refused."""
    _check_header(source)
    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == pdfium_c.FPDF_ERR_PASSWORD:
            raise _ENCRYPTED from error
        unreadable = _FOR_RECIPIENTS if code == pdfium_c.FPDF_ERR_SECURITY else _CORRUPT
        return _by_pypdf(source, target, limits, on_page, unreadable)
    try:
        if not len(document):
            return _by_pypdf(source, target, limits, on_page, _CORRUPT)
        metadata = _tidy({key: _pdfium_metadata(document, key) for key in document.METADATA_KEYS})
        thumbnail = _thumbnail(document, target / "thumbnail.webp")
        return _write(
            _Source(len(document), lambda index: _pdfium_text(document, index), metadata, thumbnail), target, limits, on_page
        )
    finally:
        document.close()


def _check_header(source: Path) -> None:
    with source.open("rb") as file:
        head = file.read(_HEADER_WITHIN)
    if not head:
        raise Refused("empty", "The file is empty. Upload it again.")
    if b"%PDF-" not in head:
        raise Refused("not_a_pdf", "The file is not a PDF. Convert it to PDF and upload that.")


def _by_pypdf(source: Path, target: Path, limits: Limits, on_page: OnPage, unreadable: Refused) -> Reading:
    """The fallback for files that pdfium does not open; pypdf raises far outside its own exception class. `unreadable` is raised
    where pypdf does not open it either.
    """
    try:
        reader = PdfReader(source, strict=False)
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise _ENCRYPTED  # noqa: TRY301 -- it goes through
        count = len(reader.pages)
        metadata = _tidy({key.removeprefix("/"): str(value) for key, value in (reader.metadata or {}).items()})
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise unreadable from error
    if not count:
        raise unreadable
    return _write(
        _Source(count, lambda index: reader.pages[index].extract_text(), metadata, thumbnail=False), target, limits, on_page
    )


def _pdfium_metadata(document: pypdfium2.PdfDocument, key: str) -> str:
    """Without what is no Unicode; pypdfium2's own helper raises on it."""
    name = key.encode() + b"\0"
    buffer = ctypes.create_string_buffer(pdfium_c.FPDF_GetMetaText(document, name, None, 0))
    pdfium_c.FPDF_GetMetaText(document, name, buffer, len(buffer))
    return buffer.raw.decode("utf-16-le", "ignore").rstrip("\0")


def _pdfium_text(document: pypdfium2.PdfDocument, index: int) -> str:
    page = document[index]
    try:
        text = page.get_textpage()
        try:
            return str(text.get_text_bounded())
        finally:
            text.close()
    finally:
        page.close()


class _Source(NamedTuple):
    """An open document: `text` gives that of a page, counted from 0, and may raise anything."""

    pages: int
    text: Callable[[int], str]
    metadata: dict[str, str]
    thumbnail: bool


def _write(source: _Source, target: Path, limits: Limits, on_page: OnPage) -> Reading:
    count, metadata = source.pages, source.metadata
    if count > limits.pages:
        message = f"The file has {count} pages, at most {limits.pages} are allowed. Split it and upload the parts."
        raise Refused("too_many_pages", message)
    read, truncated = [], False
    characters, deadline = 0, time.process_time() + limits.cpu_seconds
    with (target / "pages.tsv").open("w", encoding="utf-8", newline="") as rows:
        for number in range(1, count + 1):
            text = _guarded(source.text, number - 1)
            clean = scrub(text.replace("\r\n", "\n").replace("\r", "\n"), keep_lines=True)[: limits.characters - characters]
            characters += len(clean)
            read.append({"page": number, "text": clean})
            rows.write(f"{number}\t{_escaped(clean)}\n")
            on_page(number, count)
            if time.process_time() > deadline or characters >= limits.characters:
                truncated = number < count
                break
    title = shorten(metadata["Title"], MAX_TITLE_BYTES) if metadata.get("Title") else None
    body = {"page_count": count, "truncated": truncated, "title": title, "metadata": metadata, "pages": read}
    (target / "text.json").write_bytes(msgspec.json.encode(body))
    return Reading(
        page_count=count, title=title, metadata=metadata, truncated=truncated, characters=characters, thumbnail=source.thumbnail
    )


def _guarded(text: Callable[[int], str], index: int) -> str:
    """A page that cannot be read is empty: it does not cost the others."""
    try:
        return text(index)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- pypdf raises anything
        return ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _tidy(metadata: dict[str, Any]) -> dict[str, str]:
    tidy = {shorten(scrub(str(key)), 64): shorten(scrub(str(value)), _MAX_VALUE) for key, value in metadata.items()}
    return dict(list({key: value for key, value in tidy.items() if key and value}.items())[:_MAX_METADATA])


def _thumbnail(document: pypdfium2.PdfDocument, path: Path) -> bool:
    try:
        page = document[0]
        width, height = page.get_size()
        scale = min(THUMBNAIL[0] / max(width, 1), THUMBNAIL[1] / max(height, 1))
        image: Image.Image = page.render(scale=scale).to_pil()
        image.save(path, "WEBP", quality=75, method=2)
        page.close()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- a file without a picture is still a processed file
        return False
    return True
