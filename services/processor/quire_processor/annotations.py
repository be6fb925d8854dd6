"""What stands on a page by annotations: values of forms, signatures, notes; and the files that are attached to it."""

import ctypes
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium_c

_NOT_DRAWN = frozenset({pdfium_c.FPDF_ANNOT_LINK, pdfium_c.FPDF_ANNOT_POPUP})

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top, in the page's own coordinates."""


class Annotations(NamedTuple):
    """`drawn` is where annotations stand that show something, `attached` the names of the files that they hold."""

    drawn: list[Rectangle]
    attached: list[str]


def annotations(page: Any) -> Annotations:
    """Those of a loaded page."""
    found = Annotations([], [])
    for index in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        if annotation := pdfium_c.FPDFPage_GetAnnot(page, index):
            _look_at(annotation, found)
            pdfium_c.FPDFPage_CloseAnnot(annotation)
    return found


def flatten(page: Any) -> None:
    """Make the annotations a part of the page. It has to be loaded again to show them."""
    pdfium_c.FPDFPage_Flatten(page, pdfium_c.FLAT_NORMALDISPLAY)


def name_of(attachment: Any) -> str:
    """The name of an attached file; empty where it has none."""
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
