"""The picture of a file's first page."""

from pathlib import Path

import pypdfium2
from PIL import Image, JpegImagePlugin  # noqa: F401 -- else the first picture waits until all plugins are there

SIZE = (320, 452)  # pixels: an A4 page that fills a card


def thumbnail(document: pypdfium2.PdfDocument, path: Path) -> None:
    """Draw the first page into a JPEG file; raises anything where that does not work.

    Of a page of text it is 12 kB. WebP makes 7 kB of it, and takes ten times the CPU: more than reading the text does.
    """
    page = document[0]
    try:
        width, height = page.get_size()
        scale = min(SIZE[0] / max(width, 1), SIZE[1] / max(height, 1))
        image: Image.Image = page.render(scale=scale).to_pil()
        image.save(path, "JPEG", quality=75)
    finally:
        page.close()
