"""A page's annotations: where values of forms, signatures and notes stand, and which files are attached to the page."""

import ctypes
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium_c

_NOT_DRAWN = frozenset({pdfium_c.FPDF_ANNOT_LINK, pdfium_c.FPDF_ANNOT_POPUP})

Rectangle = tuple[float, float, float, float]
"""The left, bottom, right and top edges, in the page's own coordinates."""


class Annotations(NamedTuple):
    """A page's annotations: `drawn` has the rectangles of those that are visible, `attached` the names of attached files."""

    drawn: list[Rectangle]
    attached: list[str]


def annotations(page: Any) -> Annotations:
    """Returns the annotations of a loaded page."""
    found = Annotations([], [])
    for index in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        if annotation := pdfium_c.FPDFPage_GetAnnot(page, index):
            _look_at(annotation, found)
            pdfium_c.FPDFPage_CloseAnnot(annotation)
    return found


def flatten(page: Any) -> None:
    """Makes the annotations a part of the page. The page has to be loaded again to show them."""
    pdfium_c.FPDFPage_Flatten(page, pdfium_c.FLAT_NORMALDISPLAY)


def name_of(attachment: Any) -> str:
    """Returns the name of an attached file; an empty string where the file has none."""
    size = pdfium_c.FPDFAttachment_GetName(attachment, None, 0)
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium_c.FPDFAttachment_GetName(attachment, buffer, size)
    return bytes(buffer).decode("utf-16-le", "ignore").rstrip("\0")


def _look_at(annotation: Any, found: Annotations) -> None:
    kind = pdfium_c.FPDFAnnot_GetSubtype(annotation)
    if kind not in _NOT_DRAWN:
        rectangle = pdfium_c.FS_RECTF()
        pdfium_c.FPDFAnnot_GetRect(annotation, rectangle)
        found.drawn.append((rectangle.left, rectangle.bottom, rectangle.right, rectangle.top))
    if kind == pdfium_c.FPDF_ANNOT_FILEATTACHMENT:
        attachment = pdfium_c.FPDFAnnot_GetFileAttachment(annotation)
        found.attached.append(name_of(attachment) if attachment else "")
