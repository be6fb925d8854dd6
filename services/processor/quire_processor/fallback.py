"""Reads by pypdf what pdfium does not give: files and single pages that pdfium cannot read, hidden layers, a title in XMP.

pypdf raises exceptions of many classes besides its own, so callers catch every exception.
"""

import io
from collections.abc import Iterable
from typing import Any

from pypdf import PasswordType, PdfReader

from quire_processor.evidence import File
from quire_processor.opening import ENCRYPTED


class Fallback:
    """A file as pypdf reads it, opened at the first call. Every method may raise any exception."""

    def __init__(self, source: File) -> None:
        self._source = source
        self._reader: PdfReader | Exception | None = None

    def page_count(self) -> int:
        return len(self._opened().pages)

    def text(self, index: int) -> str:
        """Returns the text of a page. Pages are counted from 0."""
        return self._opened().pages[index].extract_text()

    def metadata(self) -> dict[str, str]:
        return {key.removeprefix("/"): str(value) for key, value in (self._opened().metadata or {}).items()}

    def title(self) -> str:
        """Returns the title in the file's XMP, in the default language; an empty string where there is none."""
        xmp = self._opened().xmp_metadata
        titles = (xmp.dc_title if xmp is not None else None) or {}
        return str(titles.get("x-default") or next(iter(titles.values()), ""))

    def hidden_layers(self) -> frozenset[str]:
        """Returns the names of the layers that are off when the file is opened.

        A name that a visible layer has, too, is left out.
        """
        properties = self._opened().root_object.get("/OCProperties", {}).get_object()
        usual = properties.get("/D", {}).get_object()
        every, on, off = (_references(part) for part in (properties.get("/OCGs"), usual.get("/ON"), usual.get("/OFF")))
        hidden = off | (every - on if usual.get("/BaseState") == "/OFF" else set())
        return frozenset(self._names(hidden) - self._names(every - hidden))

    def _names(self, layers: Iterable[Any]) -> set[str]:
        return {str(layer.get_object().get("/Name", "")) for layer in layers}

    def _opened(self) -> PdfReader:
        if self._reader is None:
            try:
                self._reader = _open(self._source)
            except Exception as error:  # noqa: BLE001 -- pypdf raises anything, and would for every page
                self._reader = error
        if isinstance(self._reader, Exception):
            raise self._reader
        return self._reader


def _open(source: File) -> PdfReader:
    reader = PdfReader(io.BytesIO(source) if isinstance(source, bytes) else source, strict=False)
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise ENCRYPTED
    return reader


def _references(array: Any) -> set[Any]:
    """Returns the references in the array, or an empty set. pypdf's IndirectObject is hashable by number and generation."""
    return set(array.get_object()) if array is not None else set()
