"""The pages' text of a `text.json` artefact while it comes in, never held whole: a slow reader costs a chunk of it.

The artefact is JSON as the processor writes it, `{…, "pages": [{"page": 1, "text": "…"}, …], …}`, its fields in any order.
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
"""By what a page says in `missing`: the mark at its place."""
_MARK = re.compile(r'["{}\[\]:,]')
_IN_STRING = re.compile(r'(?:[^"\\]+|\\[^u]|\\u[0-9A-Fa-f]{4})*+')
_MOST_BLANKS = 4096
"""Characters of a page that are held back: where it has nothing else, a mark takes their place."""
_PAGE_DEPTH = 3
"""Of the fields of a page: in the document, in its list of pages, in one of them."""

_decode = msgspec.json.Decoder(str).decode


async def plain(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """UTF-8, with BETWEEN_PAGES. Raises what `chunks` raises, and ValueError for what is no such artefact."""
    decoder, pages = codecs.getincrementaldecoder("utf-8")(), PagesText()
    async for chunk in chunks:
        if text := "".join(pages.feed(decoder.decode(chunk))):
            yield text.encode()


async def page_texts(chunks: AsyncIterable[bytes]) -> AsyncIterator[tuple[int, str]]:
    """The text of pages in pieces, each with its page, from 1. Raises what `chunks` raises, and ValueError."""
    decoder, pages = codecs.getincrementaldecoder("utf-8")(), PagesText(bare=True)
    async for chunk in chunks:
        for text in pages.feed(decoder.decode(chunk)):
            if text:
                yield pages.page, text


class PagesText:
    """Reads the artefact in pieces."""

    def __init__(self, *, bare: bool = False) -> None:
        """`bare`: nothing but the text of pages, without marks and BETWEEN_PAGES; `page` is then the one whose text was given."""
        self._bare = bare
        self._rest = ""
        self._inside = False  # a string
        self._wanted = False  # this string is a page's text
        self._string = ""
        self._scalar = ""  # what stands between two marks, such as a number
        self._before = ""  # the last mark
        self._depth = 0
        self._keys: dict[int, str] = {}
        self._pages = 0
        self._page_count = 0
        self._missing = ""
        self._blank = ""  # what this page has so far, while that is nothing but blanks
        self._written = False  # whether it has more

    def feed(self, piece: str) -> Iterator[str]:
        """What this piece holds of the pages' text."""
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
            assert some is not None  # noqa: S101 -- it matches nothing at all, too
            yield from self._more(some[0])
            at = some.end()
            if text[at : at + 1] != '"':
                break  # it goes on in the next piece, perhaps in the middle of an escape
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
        """That which is being read, from 1."""
        return self._pages

    @property
    def _in_a_page(self) -> bool:
        return self._depth == _PAGE_DEPTH and self._keys.get(1) == "pages"

    def _value(self) -> None:
        """A value has ended. Only two are of use, besides texts."""
        if self._depth == 1 and self._keys.get(1) == "page_count" and self._before == ":":
            self._page_count = int(self._scalar)
        elif self._in_a_page and self._keys.get(_PAGE_DEPTH) == "missing" and self._before == '"':
            self._missing = self._string

    def _end(self) -> Iterator[str]:
        """Marks at the end of a page, or of the document."""
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
