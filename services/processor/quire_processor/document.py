"""A file that pdfium has opened: the text of its pages, its attachments and its metadata."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium_c

from quire_processor.annotations import annotations, flatten, name_of
from quire_processor.glyphs import Unreadable
from quire_processor.layers import hide
from quire_processor.notices import Findings
from quire_processor.page_text import page_text


class Document:
    """A document that pdfium has opened. Pages are counted from 0.

    Findings are added to `found`. `hidden` has the names of layers whose text is left out.
    """

    def __init__(self, document: pypdfium2.PdfDocument, found: Findings, hidden: frozenset[str]) -> None:
        self._document = document
        self._found = found
        self._hidden = hidden
        document.init_forms()
        found.xfa = document.get_formtype() == pdfium_c.FORMTYPE_XFA_FULL
        for index in range(pdfium_c.FPDFDoc_GetAttachmentCount(document)):
            found.attached(name_of(pdfium_c.FPDFDoc_GetAttachment(document, index)))

    def text(self, index: int) -> str:
        """Returns the text of a page, with the text of forms and notes. Raises Unreadable."""
        with self._page(index) as page:
            notes = annotations(page)
            for name in notes.attached:
                self._found.attached(name)
            if not notes.drawn:
                return self._text(page, [])
            flatten(page)
        with self._page(index) as page:
            return self._text(page, notes.drawn)

    def metadata(self) -> dict[str, str]:
        """Returns the metadata as the file has it, without bytes that are not Unicode."""
        return {key: self._metadata(key) for key in pypdfium2.PdfDocument.METADATA_KEYS}

    def _text(self, page: Any, drawn: list[tuple[float, float, float, float]]) -> str:
        if self._hidden:
            hide(page, self._hidden)
        text, unmapped = page_text(page, drawn)
        self._found.unmapped += unmapped
        return text

    @contextmanager
    def _page(self, index: int) -> Iterator[Any]:
        page, form = pdfium_c.FPDF_LoadPage(self._document, index), self._document.formenv
        if not page:
            raise Unreadable
        if form:
            pdfium_c.FORM_OnAfterLoadPage(page, form)
        try:
            yield page
        finally:
            if form:
                pdfium_c.FORM_OnBeforeClosePage(page, form)
            pdfium_c.FPDF_ClosePage(page)

    def _metadata(self, key: str) -> str:
        name = key.encode() + b"\0"
        buffer = ctypes.create_string_buffer(pdfium_c.FPDF_GetMetaText(self._document, name, None, 0))
        pdfium_c.FPDF_GetMetaText(self._document, name, buffer, len(buffer))
        return buffer.raw.decode("utf-16-le", "ignore").rstrip("\0")
