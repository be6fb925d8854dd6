"""Draws the picture of a file's first page."""

import ctypes
import io

import pypdfium2
from PIL import Image, JpegImagePlugin  # noqa: F401 -- without it, saving the first picture would load all plugins

SIZE = (320, 452)  # pixels: an A4 page that fills a card
_MEMORY = (ctypes.c_ubyte * (4 * (SIZE[0] + 1) * (SIZE[1] + 1)))()
"""The memory of all pictures, kept: to allocate and clear so much for each takes a tenth of the CPU of a one-page file."""


def thumbnail(document: pypdfium2.PdfDocument) -> bytes:
    """Returns the picture of the first page, a JPEG file. May raise any exception where the page cannot be drawn.

    The picture of a page of text takes 12 kB. As WebP it would take 7 kB and ten times the CPU, more than reading the text.
    """
    page = document[0]
    try:
        width, height = page.get_size()
        scale = min(SIZE[0] / max(width, 1), SIZE[1] / max(height, 1))
        bitmap = page.render(scale=scale, prefer_bgrx=True, rev_byteorder=True, bitmap_maker=_bitmap)  # Pillow copies others
        image: Image.Image = bitmap.to_pil()
        image.save(file := io.BytesIO(), "JPEG", quality=75)
        return file.getvalue()
    finally:
        page.close()


def _bitmap(width: int, height: int, *, format: int, rev_byteorder: bool) -> pypdfium2.PdfBitmap:  # noqa: A002 -- pypdfium2's names
    """Returns a bitmap in the memory that all pictures use. pdfium fills it with white first."""
    return pypdfium2.PdfBitmap.new_native(width, height, format, rev_byteorder, buffer=_MEMORY)
