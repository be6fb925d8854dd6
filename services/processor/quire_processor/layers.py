"""Hides layers of a page (optional content) that are off when the file is opened: their text is not part of the page."""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import pypdfium2.raw as pdfium_c

_DEEPEST = 5  # levels of forms within forms that are searched


def hide(page: Any, names: frozenset[str]) -> None:
    """Takes all objects that belong to the layers of these names out of a loaded page."""
    for item in _objects(page, pdfium_c.FPDFPage_CountObjects, pdfium_c.FPDFPage_GetObject, 0):
        if any(layer in names for layer in _layers(item)):
            pdfium_c.FPDFPageObj_SetIsActive(item, False)  # noqa: FBT003 -- pdfium's order of arguments


def _objects(holder: Any, count: Callable[[Any], int], get: Callable[[Any, int], Any], depth: int) -> Iterator[Any]:
    for index in range(count(holder)):
        item = get(holder, index)
        yield item
        if depth < _DEEPEST and pdfium_c.FPDFPageObj_GetType(item) == pdfium_c.FPDF_PAGEOBJ_FORM:
            yield from _objects(item, pdfium_c.FPDFFormObj_CountObjects, pdfium_c.FPDFFormObj_GetObject, depth + 1)


def _layers(item: Any) -> Iterator[str]:
    """Yields the names of the layers that an object is marked as belonging to."""
    for index in range(pdfium_c.FPDFPageObj_CountMarks(item)):
        mark = pdfium_c.FPDFPageObj_GetMark(item, index)
        if _string(pdfium_c.FPDFPageObjMark_GetName, mark) == "OC":
            yield _string(pdfium_c.FPDFPageObjMark_GetParamStringValue, mark, b"Name")


def _string(get: Callable[..., Any], *of: Any) -> str:
    size = ctypes.c_ulong()
    get(*of, None, 0, size)
    buffer = (ctypes.c_ushort * (size.value // 2 + 1))()
    get(*of, buffer, size.value, size)
    return bytes(buffer).decode("utf-16-le", "ignore").rstrip("\0")
