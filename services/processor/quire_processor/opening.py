"""Opens a file by pdfium: as it is, or with its header or trailer repaired, as other PDF readers do.

pdfium is asked for its last error only where it has just failed: after a file that opens without any page, the last error would
be that of an earlier file.
"""

import re

import pypdfium2
import pypdfium2.raw as pdfium_c

from quire_processor.evidence import File, mentioned
from quire_processor.reading import RefusedCode

_HEADER_WITHIN = 1024  # bytes in which PDF readers look for the header
_MENDED_AT_MOST = 100 * 1024**2  # bytes of a file that is repaired: the result is held in memory
_OBJECT = re.compile(rb"(\d{1,7})\s+(\d{1,5})\s+obj\b")
_CATALOG_WITHIN = 4096  # bytes at most from the beginning of the catalogue object to its name


class Refused(Exception):
    """The file cannot be processed; the message says why and what to do."""

    def __init__(self, code: RefusedCode, message: str) -> None:
        super().__init__(message)
        self.code = code


EMPTY = Refused("empty", "The file is empty. Upload it again.")
NOT_A_PDF = Refused("not_a_pdf", "The file is not a PDF. Convert it to PDF and upload that.")
ENCRYPTED = Refused("encrypted", "The file is protected by a password. Remove the password and upload it again.")
FOR_RECIPIENTS = Refused(
    "encrypted", "The file can be opened by its recipients only. Save it without that protection and upload it again."
)
CORRUPT = Refused("corrupt", "The file is damaged and cannot be read. Open it in a PDF program, save it anew, and upload that.")


def opened(source: File) -> tuple[pypdfium2.PdfDocument, File] | Refused:
    """Returns the document and the file that was opened, or the reason why pdfium cannot open it.

    The file is `source` or its repaired content. The document may have no pages.
    """
    head = _head(source)
    if not head:
        return EMPTY
    document, code = load(source)
    if document is not None and len(document):
        return document, source
    if mentioned(source, [b"/Encrypt"]):
        refused = {pdfium_c.FPDF_ERR_PASSWORD: ENCRYPTED, pdfium_c.FPDF_ERR_SECURITY: FOR_RECIPIENTS}.get(code, CORRUPT)
    elif (content := _mended(source)) is not None and (mended := load(content)[0]) is not None and len(mended):
        return mended, content
    else:
        refused = CORRUPT if b"%PDF" in head or _OBJECT.search(head) else NOT_A_PDF
    return refused if document is None else (document, source)


def load(file: File) -> tuple[pypdfium2.PdfDocument | None, int]:
    """Returns the document and 0, or None and pdfium's error code.

    pypdfium2's own function is not used: it takes a document without pages for an error.
    """
    if isinstance(file, bytes):
        handle = pdfium_c.FPDF_LoadMemDocument64(file, len(file), None)
    else:
        handle = pdfium_c.FPDF_LoadDocument(bytes(file) + b"\0", None)
    return (pypdfium2.PdfDocument(handle), 0) if handle else (None, pdfium_c.FPDF_GetLastError())


def _head(source: File) -> bytes:
    if isinstance(source, bytes):
        return source[:_HEADER_WITHIN]
    with source.open("rb") as file:
        return file.read(_HEADER_WITHIN)


def _mended(source: File) -> bytes | None:
    """Returns the file's content with a header before it and a trailer after it, or None where it is too large.

    pdfium finds the objects in it. The content has to be kept while the document is open.
    """
    if isinstance(source, bytes):
        content = source
    elif source.stat().st_size > _MENDED_AT_MOST:
        return None
    else:
        content = source.read_bytes()
    return b"%%PDF-1.7\n%b%b" % (content, _trailer(content))


def _trailer(content: bytes) -> bytes:
    """Returns a trailer that names the last catalogue of the file; nothing where no catalogue is found."""
    at = max(content.rfind(b"/Catalog"), 0)
    catalogs = list(_OBJECT.finditer(content, max(0, at - _CATALOG_WITHIN), at))
    return b"".join(b"\ntrailer\n<< /Root %b %b R >>\nstartxref\n0\n%%%%EOF\n" % match.groups() for match in catalogs[-1:])
