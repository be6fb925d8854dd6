"""Makes notices for readers of a file's text: which parts of the file are missing, and what to do about it (docs/api.md).

Pure.
"""

from collections.abc import Iterator

from msgspec import Struct, field

from quire_schemas.fields import MAX_NAME_BYTES, MAX_NAMES, Notice
from quire_schemas.text import scrub, shorten, undeceptive

_OCR = "Run text recognition (OCR) and upload what it makes."
_UNMAPPED_OF = 200  # characters: less than one unmapped glyph in so many is taken for bullets and formulas, which lose no words


class Findings(Struct, kw_only=True):
    """Facts that are found while a file is read. Pages are counted from 1.

    Where reading stopped before the end of the text, `cut_after` has the limit that was reached, as a phrase ("after 20 s of
    computing"), and `cut_within` tells whether it stopped within a page.
    """

    page_count: int
    pages_read: int = 0
    characters: int = 0
    without_text: int = 0
    unreadable: list[int] = field(default_factory=list)
    unmapped: int = 0
    cut_after: str = ""
    cut_within: bool = False
    xfa: bool = False
    attachments: int = 0
    names: list[str] = field(default_factory=list)

    def read(self, number: int, text: str) -> None:
        """Counts a page that reading has come to, and its text."""
        self.characters += len(text)
        if number not in self.unreadable[-1:]:
            self.pages_read += 1
            self.without_text += not text.strip()

    def cut(self, after: str, *, within: bool = False) -> None:
        self.cut_after, self.cut_within = after, within

    def attached(self, name: str) -> None:
        """Counts an attachment, and keeps its name if it is one of the first MAX_NAMES."""
        self.attachments += 1
        if len(self.names) < MAX_NAMES and (clean := undeceptive(scrub(name)).strip()):
            self.names.append(shorten(clean, MAX_NAME_BYTES))


def notices(found: Findings) -> tuple[Notice, ...]:
    """Returns the notices for these findings: each code at most once, the gravest first."""
    return tuple(_notices(found))


def no_thumbnail(reason: str) -> Notice:
    """Returns the notice that there is no picture. `reason` follows a colon in its sentence."""
    return Notice(
        code="no_thumbnail",
        message=f"There is no picture of the first page: {reason}. That does not concern its text; open the original to see it.",
    )


def _notices(found: Findings) -> Iterator[Notice]:
    if found.xfa:
        message = (
            "The file is an XFA form: what it shows is not in its pages. Print it to PDF with Adobe Acrobat and upload that."
        )
        yield Notice(code="xfa", message=message)
    if count := len(found.unreadable):
        message = f"{count} of {found.page_count} pages could not be read. Save the file anew with a PDF program and upload that."
        yield Notice(code="unreadable_pages", message=message, count=count)
    if found.cut_after:
        end = found.pages_read + len(found.unreadable)
        message = f"Reading stopped {found.cut_after}, on page {end} of {found.page_count}. Split the file and upload the parts."
        yield Notice(code="truncated", message=message)
    yield from _without_text(found)
    if (count := found.unmapped) and count * _UNMAPPED_OF >= found.characters:
        subject = (
            "1 glyph does not say which character it is" if count == 1 else f"{count} glyphs do not say which characters they are"
        )
        yield Notice(code="unmapped_text", message=f"{subject}, so words may be wrong there. {_OCR}", count=count)
    if count := found.attachments:
        subject = "1 file is attached, and its text is" if count == 1 else f"{count} files are attached, and their text is"
        message = f"{subject} not read. Save what is attached with a PDF program and upload it."
        yield Notice(code="attachments", message=message, count=count, names=tuple(found.names))


def _without_text(found: Findings) -> Iterator[Notice]:
    if not found.page_count:
        yield Notice(code="no_text", message="The file has no pages. Look whether it is the right one.")
    elif not found.characters or found.without_text == found.pages_read:
        yield Notice(code="no_text", message=f"No page has text that can be read: they may be scans. {_OCR}")
    elif count := found.without_text:
        scans = "1 page has no text: it may be a scan" if count == 1 else f"{count} pages have no text: they may be scans"
        message = f"{scans}. {_OCR}"
        yield Notice(code="pages_without_text", message=message, count=count)
