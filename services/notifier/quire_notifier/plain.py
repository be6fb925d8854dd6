"""Extracts the text of the pages from a `text.json` artefact while it is read. Only a chunk of it is held in memory, also for a
slow reader.

The artefact is JSON as the processor writes it, `{…, "pages": [{"page": 1, "text": "…"}, …], …}`, with its fields in any order.
"""

import codecs
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterator

import msgspec

BETWEEN_PAGES = "\f\n"
_MISSING = {
    "no_text": "[Page {page} has no text.]",
    "unreadable": "[Page {page} could not be read.]",
    "cut": "[The text of page {page} goes on, but is cut here.]",
}
"""The mark in the plain text for each value of a page's `missing`."""
_MARK = re.compile(r'["{}\[\]:,]')
_IN_STRING = re.compile(r'(?:[^"\\]+|\\[^u]|\\u[0-9A-Fa-f]{4})*+')
_MOST_BLANKS = 4096
"""Blanks of a page that are held back. If the page has no other characters, a mark replaces them."""
_PAGE_DEPTH = 3
"""The depth of a page's fields: in the document, in its list of pages, in a page."""

_decode = msgspec.json.Decoder(str).decode


async def plain(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yields the plain text in UTF-8, with BETWEEN_PAGES between pages. Raises the errors of `chunks`, and ValueError when they
    are no such artefact.
    """
    decoder, pages = codecs.getincrementaldecoder("utf-8")(), PagesText()
    async for chunk in chunks:
        if text := "".join(pages.feed(decoder.decode(chunk))):
            yield text.encode()


async def page_texts(chunks: AsyncIterable[bytes]) -> AsyncIterator[tuple[int, str]]:
    """Yields the text of pages in pieces, each with its page number from 1. Raises the errors of `chunks`, and ValueError when
    they are no such artefact.
    """
    decoder, pages = codecs.getincrementaldecoder("utf-8")(), PagesText(bare=True)
    async for chunk in chunks:
        for text in pages.feed(decoder.decode(chunk)):
            if text:
                yield pages.page, text


class PagesText:
    """Parses the artefact in pieces."""

    def __init__(self, *, bare: bool = False) -> None:
        """`bare` omits marks and BETWEEN_PAGES; `page` is then the page of the text that was returned last."""
        self._bare = bare
        self._rest = ""
        self._inside = False  # in a string
        self._wanted = False  # this string is a page's text
        self._string = ""
        self._scalar = ""  # the text between two marks, such as a number
        self._before = ""  # the last mark
        self._depth = 0
        self._keys: dict[int, str] = {}
        self._pages = 0
        self._page_count = 0
        self._missing = ""
        self._blank = ""  # the page's text so far, while it is only blanks
        self._written = False  # whether text of this page has been returned

    def feed(self, piece: str) -> Iterator[str]:
        """Yields the text of pages that this piece holds."""
        text, at = self._rest + piece, 0
        while at < len(text):
            if not self._inside:
                found = _MARK.search(text, at)
                self._scalar += text[at : found.start() if found else len(text)]
                at = found.end() if found else len(text)
                if found:
                    yield from self._mark(found[0])
                    self._before, self._scalar = found[0], ""
                continue
            some = _IN_STRING.match(text, at)
            assert some is not None  # noqa: S101 -- it also matches the empty string
            yield from self._more(some[0])
            at = some.end()
            if text[at : at + 1] != '"':
                break  # the string continues in the next piece, perhaps within an escape
            self._inside = False
            at += 1
        self._rest = text[at:]

    def _mark(self, mark: str) -> Iterator[str]:
        if mark == '"':
            self._inside, self._string = True, ""
            self._wanted = self._before == ":" and self._in_a_page and self._keys.get(_PAGE_DEPTH) == "text"
            if self._wanted:
                self._pages += 1
                yield BETWEEN_PAGES if self._pages > 1 and not self._bare else ""
        elif mark == ":":
            self._keys[self._depth] = self._string
        elif mark in "{[":
            self._depth += 1
            self._keys.pop(self._depth, None)
        else:
            self._value()
            if mark == "}":
                yield from self._end()
            self._depth -= mark in "}]"

    @property
    def page(self) -> int:
        """The number of the page that is being read, from 1."""
        return self._pages

    @property
    def _in_a_page(self) -> bool:
        return self._depth == _PAGE_DEPTH and self._keys.get(1) == "pages"

    def _value(self) -> None:
        """Notes the value that has ended, if it is `page_count` or `missing`."""
        if self._depth == 1 and self._keys.get(1) == "page_count" and self._before == ":":
            self._page_count = int(self._scalar)
        elif self._in_a_page and self._keys.get(_PAGE_DEPTH) == "missing" and self._before == '"':
            self._missing = self._string

    def _end(self) -> Iterator[str]:
        """Yields the marks at the end of a page or of the document."""
        if self._in_a_page:
            if self._missing in _MISSING and not self._bare:
                yield ("\n" if self._written else "") + _MISSING[self._missing].format(page=self._pages)
            else:
                yield self._blank
            self._missing, self._blank, self._written = "", "", False
        elif self._depth == 1 and self._pages < self._page_count and not self._bare:
            yield BETWEEN_PAGES if self._pages else ""
            yield f"[What comes after page {self._pages} was not read.]"

    def _more(self, raw: str) -> Iterator[str]:
        text = _decode(f'"{raw}"') if "\\" in raw else raw
        if self._wanted:
            text, self._blank = self._blank + text, ""
            self._written = self._written or len(text) > _MOST_BLANKS or bool(text.strip())
            if self._written:
                yield text
            else:
                self._blank = text
        else:
            self._string += text
