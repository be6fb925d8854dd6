"""The picture of a file's first page."""

from pathlib import Path

import pypdfium2
from PIL import Image, WebPImagePlugin  # noqa: F401 -- else the first picture waits until all plugins are there

SIZE = (320, 452)  # pixels: an A4 page that fills a card


def thumbnail(document: pypdfium2.PdfDocument, path: Path) -> None:
    """Draw the first page into a WebP file; raises anything where that does not work."""
    page = document[0]
    try:
        width, height = page.get_size()
        scale = min(SIZE[0] / max(width, 1), SIZE[1] / max(height, 1))
        image: Image.Image = page.render(scale=scale).to_pil()
        image.save(path, "WEBP", quality=75, method=2)
    finally:
        page.close()
