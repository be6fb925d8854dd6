"""Extracts the list of pages from a `text.json` artefact, unchanged and in pieces, because a page may be of any size."""

import re

_START = b'"pages":['
"""The start of the list. It cannot occur in a string, where its quotes would be escaped."""
_TOKEN = re.compile(rb'["\[\]]|\\.', re.DOTALL)


class PagesArray:
    """Extracts the bytes of the list of pages, including its brackets, from the bytes of the artefact."""

    def __init__(self) -> None:
        self._rest = b""
        self._depth = 0
        self._inside = False  # in a string
        self.done = False
        """Whether the whole list has been returned."""

    def feed(self, chunk: bytes) -> bytes:
        """Returns the part of the list that this chunk holds."""
        data, at = self._rest + chunk, 0
        if self.done:
            return b""
        if not self._depth:
            found = data.find(_START)
            if found < 0:
                self._rest = data[1 - len(_START) :]
                return b""
            data = data[found + len(_START) - 1 :]
        for token in _TOKEN.finditer(data):
            at = token.end()
            if token[0] == b'"':
                self._inside = not self._inside
            elif not self._inside:
                self._depth += (token[0] == b"[") - (token[0] == b"]")
                if not self._depth:
                    self.done = True
                    return data[:at]
        cut = len(data) - (data[at:].endswith(b"\\"))  # the first half of an escape waits for the second half
        self._rest = data[cut:]
        return data[:cut]
