"""The contents of files: original, text and thumbnail, streamed from the object store."""

import re
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from quire_notifier.rows import FileRow
from quire_runtime.http import Problem
from quire_runtime.storage import ObjectMissing, ObjectStore, ObjectStream, RangeOutside, StorageUnavailable, content_disposition

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
RETRY_AFTER = {"Retry-After": "2"}
_SAFE = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    # A stranger's file is opened on our origin: whatever is in it, it may do nothing there.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; plugin-types application/pdf",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PLAIN = "text/plain; charset=utf-8"
_MISSING = {
    "no_text": "[Page {page} has no text.]",
    "unreadable": "[Page {page} could not be read.]",
    "cut": "[The text of page {page} goes on, but is cut here.]",
}


class _Page(msgspec.Struct):
    """`missing` says why there is no text, or not all of it."""

    text: str
    page: int = 0
    missing: str = ""

    def plain(self) -> str:
        """The text, and at its place a mark of what is missing."""
        if self.missing not in _MISSING:
            return self.text
        mark = _MISSING[self.missing].format(page=self.page)
        return f"{self.text}\n{mark}" if self.text.strip() else mark


class _Text(msgspec.Struct):
    """What is read of a `text.json` artefact."""

    pages: list[_Page]
    page_count: int = 0

    def plain(self) -> str:
        """The pages with a form feed between them, and a mark of those that were not read."""
        parts = [page.plain() for page in self.pages]
        if len(parts) < self.page_count:
            parts.append(f"[What comes after page {len(parts)} was not read.]")
        return "\f\n".join(parts)


class Content(NamedTuple):
    """What of a file is wanted."""

    key: str
    media_type: str
    etag: str
    filename: str


_text = msgspec.json.Decoder(_Text)


class Contents:
    """Gives what the object store has; `ObjectMissing` and an outage are the client's to know."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def answer(self, request: Request, file: FileRow, kind: str) -> Response:
        """`kind`: original, text, thumbnail. Raises Problem: 404, 416, 503."""
        content = content_of(file, kind)
        if request.headers.get("if-none-match") == content.etag:
            return Response(status_code=304, headers={"ETag": content.etag, **_SAFE})
        try:
            if kind == "text" and _wants_plain(request):
                return await self._plain(content)
            return await self._streamed(request, content)
        except ObjectMissing:
            raise Problem(404, "object_missing", "The object store does not have this any more.") from None
        except RangeOutside:
            raise Problem(416, "range_not_satisfiable", "The file does not reach so far.") from None
        except StorageUnavailable as error:
            detail = "The object store does not answer. Try again in a while."
            raise Problem(503, "storage_unavailable", detail, headers=RETRY_AFTER) from error

    async def _streamed(self, request: Request, content: Content) -> Response:
        first, last = _range(request)
        stream = await self._store.stream(content.key, first=first, last=last)
        headers = {
            **_SAFE,
            "ETag": content.etag,
            "Accept-Ranges": "bytes",
            "Content-Length": str(stream.size),
            "Content-Disposition": _disposition(request, content.filename),
        }
        if stream.content_range is not None:
            headers["Content-Range"] = stream.content_range
        status = 200 if stream.content_range is None else 206
        return StreamingResponse(_sent(stream), status, headers, media_type=content.media_type)

    async def _plain(self, content: Content) -> Response:
        text = _text.decode(await self._store.get(content.key)).plain()
        headers = {**_SAFE, "ETag": content.etag, "Vary": "Accept"}
        return Response(text, headers=headers, media_type=PLAIN)


def content_of(file: FileRow, kind: str) -> Content:
    """Raises Problem 404 for what the file does not have (yet)."""
    stem = file.original_filename.removesuffix(".pdf")
    match kind:
        case "original":
            return Content(file.object_key, "application/pdf", f'"{file.sha256}"', file.original_filename)
        case "text" if file.text_key is not None:
            return Content(file.text_key, "application/json", f'"{file.text_key}"', f"{stem}.json")
        case "thumbnail" if file.thumbnail_key is not None:
            return Content(file.thumbnail_key, "image/webp", f'"{file.thumbnail_key}"', f"{stem}.webp")
    raise Problem(404, "not_found", f"The file is {file.processing_status}: it has no {kind}.")


def _range(request: Request) -> tuple[int, int | None]:
    """A Range header of another kind than `bytes=first-[last]` is ignored, as RFC 9110 allows."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or len(match[1]) > 18 or len(match[2]) > 18 or "if-range" in request.headers:
        return 0, None
    first, last = int(match[1]), int(match[2]) if match[2] else None
    return (0, None) if last is not None and last < first else (first, last)


def _wants_plain(request: Request) -> bool:
    """A browser that opens the link, or who asks for text; programs get the JSON as it is stored."""
    accept = request.headers.get("accept", "")
    return "application/json" not in accept and ("text/html" in accept or "text/plain" in accept)


def _disposition(request: Request, filename: str) -> str:
    shown = content_disposition(filename)
    return shown.replace("inline", "attachment", 1) if "download" in request.query_params else shown


async def _sent(stream: ObjectStream) -> AsyncIterator[bytes]:
    try:
        async for chunk in stream:
            yield chunk
    finally:
        await stream.aclose()
