"""Streams the contents of files from the object store: original, text and thumbnail."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from quire_notifier.plain import plain
from quire_notifier.projecting.rows import FileRow
from quire_notifier.web.held import HeldResponse
from quire_runtime.http import Problem
from quire_runtime.logs import get_logger
from quire_runtime.storage import (
    ObjectMissing,
    ObjectStore,
    ObjectStream,
    RangeOutside,
    StorageRefuses,
    StorageUnavailable,
)

log = get_logger(__name__)

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_ETAG = re.compile(r'"[^"]*"|\*')
RETRY_AFTER = {"Retry-After": "2"}
_SAFE = {
    "Cache-Control": "private, no-cache",
    # A stranger's file is opened on our origin: its scripts must not run there.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; plugin-types application/pdf",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PLAIN = "text/plain; charset=utf-8"
_IMAGES = {"jpg": "image/jpeg", "webp": "image/webp"}  # earlier versions made webp


class Content(NamedTuple):
    """A content of a file, with the headers of a 200 and of a 304."""

    key: str
    media_type: str
    filename: str
    headers: Mapping[str, str]


class Contents:
    """Answers requests for contents. Missing objects and outages of the object store become Problems for the client."""

    def __init__(self, store: ObjectStore, at_once: int) -> None:
        """`at_once` is the most contents that are sent at the same time; each takes a connection to the object store."""
        self._store = store
        self._at_once = at_once
        self._sending = 0

    async def answer(self, request: Request, file: FileRow, kind: str) -> Response:
        """Answers with the content `kind`: original, text or thumbnail. Raises Problem 404, 416 or 503."""
        content = content_of(file, kind, as_plain=_wants_plain(request))
        if _known(request.headers.getlist("if-none-match"), content.headers["ETag"]):
            return Response(status_code=304, headers=content.headers)
        if self._sending >= self._at_once:
            raise Problem(503, "busy", "Too many contents are being sent. Try again in a while.", headers=RETRY_AFTER)
        self._sending += 1
        try:
            return await self._streamed(request, content)
        except BaseException:
            self._release()
            raise

    async def _streamed(self, request: Request, content: Content) -> Response:
        stream = await self._stream(request, content)
        headers = {**content.headers, "Content-Disposition": _disposition(request, content.filename)}
        if content.media_type == PLAIN:
            return HeldResponse(_sent(stream, plain(stream)), 200, headers, PLAIN, self._release)
        headers |= {"Accept-Ranges": "bytes", "Content-Length": str(stream.size)}
        if stream.content_range is not None:
            headers["Content-Range"] = stream.content_range
        status = 200 if stream.content_range is None else 206
        return HeldResponse(_sent(stream, stream), status, headers, content.media_type, self._release)

    async def _stream(self, request: Request, content: Content) -> ObjectStream:
        first, last = (0, None) if content.media_type == PLAIN else _range(request)
        try:
            return await self._store.stream(content.key, first=first, last=last)
        except ObjectMissing:
            raise Problem(404, "object_missing", "The object store does not have this any more.") from None
        except RangeOutside:
            raise Problem(416, "range_not_satisfiable", "The file does not reach so far.") from None
        except StorageRefuses as error:
            log.error("a content cannot be read", error=str(error))  # noqa: TRY400 -- the message says it all
            detail = "The object store refuses to give this. The cause is in the log of the notifier, for its operator to mend."
            raise Problem(503, "storage_unavailable", detail) from error
        except StorageUnavailable as error:
            detail = "The object store does not answer. Try again in a while."
            raise Problem(503, "storage_unavailable", detail, headers=RETRY_AFTER) from error

    def _release(self) -> None:
        self._sending -= 1


def content_of(file: FileRow, kind: str, *, as_plain: bool) -> Content:
    """Returns the content of a file. `as_plain` asks for plain text instead of JSON, as another representation at the same
    address. Raises Problem 404 for a content that the file does not have, or does not have yet.
    """
    name = file.original_filename
    stem = name[:-4] if name.lower().endswith(".pdf") else name
    match kind:
        case "original":
            return Content(file.object_key, "application/pdf", name, _headers(file.sha256))
        case "text" if file.text_key is not None and as_plain:
            return Content(file.text_key, PLAIN, f"{stem}.txt", _text_headers(f"{file.text_key};plain"))
        case "text" if file.text_key is not None:
            return Content(file.text_key, "application/json", f"{stem}.json", _text_headers(file.text_key))
        case "thumbnail" if file.thumbnail_key is not None:
            suffix = file.thumbnail_key.rpartition(".")[2]
            return Content(file.thumbnail_key, _IMAGES[suffix], f"{stem}.{suffix}", _headers(file.thumbnail_key))
    raise Problem(404, "not_found", f"The file is {file.processing_status}: it has no {kind}.")


def content_disposition(filename: str, kind: Literal["inline", "attachment"] = "inline") -> str:
    """Returns a Content-Disposition header (RFC 6266), with an ASCII name for old clients and the true name in UTF-8."""
    ascii_name = "".join(char if char.isascii() and char.isprintable() and char not in '"\\' else "_" for char in filename)
    encoded = "".join(
        chr(byte) if (byte < 128 and chr(byte).isalnum()) or byte in b"-._~" else f"%{byte:02X}" for byte in filename.encode()
    )
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{encoded}"


def _headers(validator: str) -> dict[str, str]:
    return {**_SAFE, "ETag": f'"{validator}"'}


def _text_headers(validator: str) -> dict[str, str]:
    """Returns headers with a weak ETag, because the same text may be sent compressed."""
    return {**_SAFE, "ETag": f'W/"{validator}"', "Vary": "Accept"}


def _known(given: Sequence[str], etag: str) -> bool:
    """Returns whether If-None-Match names this representation, or any. Weak validators match as strong ones do (RFC 9110,
    13.1.2).
    """
    named = _ETAG.findall(",".join(given))  # a W/ before it makes no difference
    return "*" in named or etag.removeprefix("W/") in named


def _range(request: Request) -> tuple[int, int | None]:
    """Returns the first and the last byte asked for. A Range header of another form than `bytes=first-[last]` is ignored, as
    RFC 9110 allows.
    """
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or len(match[1]) > 18 or len(match[2]) > 18 or "if-range" in request.headers:
        return 0, None
    first, last = int(match[1]), int(match[2]) if match[2] else None
    return (0, None) if last is not None and last < first else (first, last)


def _wants_plain(request: Request) -> bool:
    """Returns whether the client wants plain text: a browser that opens the link, or a client that asks for text. Other
    programs get the stored JSON.
    """
    accept = request.headers.get("accept", "")
    return "application/json" not in accept and ("text/html" in accept or "text/plain" in accept)


def _disposition(request: Request, filename: str) -> str:
    return content_disposition(filename, "attachment" if "download" in request.query_params else "inline")


async def _sent(stream: ObjectStream, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yields `chunks`, which are made from the stream, and closes the stream in any case."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        await stream.aclose()
