"""The pages of a `text.json` artefact as they stand in it, passed on piece by piece: a page may be of any size."""

import re

_START = b'"pages":['
"""Inside a string its quotes would be escaped."""
_TOKEN = re.compile(rb'["\[\]]|\\.', re.DOTALL)


class PagesArray:
    """Gives of the artefact's bytes those of the list of pages, its brackets included."""

    def __init__(self) -> None:
        self._rest = b""
        self._depth = 0
        self._inside = False  # a string
        self.done = False
        """Whether the list was given whole."""

    def feed(self, chunk: bytes) -> bytes:
        """What this chunk holds of it."""
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
        cut = len(data) - (data[at:].endswith(b"\\"))  # half of an escape waits for the other half
        self._rest = data[cut:]
        return data[:cut]
