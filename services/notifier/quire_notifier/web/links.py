"""Links to the contents of files: under jwt signed, as a browser cannot send a token with an image or a download."""

import hashlib
import hmac
import time
from collections.abc import Mapping

from quire_runtime.http import Problem


class Links:
    """A link is good for one to two times `seconds`; within such a span the same link is given out, so that browsers cache."""

    def __init__(self, key: bytes | None, seconds: float) -> None:
        """`key` None: links need no signature."""
        self._key = key
        self._seconds = int(seconds)

    def __call__(self, file_id: str, kind: str) -> str:
        """As `row_views.Linker`: relative to the notifier's address, of which only its clients know the path in front of it."""
        return self.signed(self.unsigned(file_id, kind))

    def signed(self, link: str) -> str:
        """The link, relative to the notifier's address, with a signature if links need one."""
        if self._key is None:
            return link
        expires = (int(time.time()) // self._seconds + 2) * self._seconds
        return f"{link}{'&' if '?' in link else '?'}expires={expires}&signature={self._signature(f'/{link}', expires)}"

    def unsigned(self, file_id: str, kind: str) -> str:
        """As `row_views.Linker`, for who may know where a file is and needs a token for its contents."""
        return f"api/files/{file_id}/{kind}"

    def allows(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether the request came by a signed link, of which `path` is what was signed. Raises Problem 403 where the link is
        forged or has expired.
        """
        if self._key is None or "signature" not in query:
            return False
        expires = query.get("expires", "")
        good = expires.isdecimal() and expires.isascii() and len(expires) < 16
        if not good or not hmac.compare_digest(self._signature(path, int(expires)).encode(), query["signature"].encode()):
            raise Problem(403, "invalid_link", "The signature of this link is not ours. Ask for the file again to get a new one.")
        if int(expires) < time.time():
            raise Problem(403, "link_expired", "This link has expired. Ask for the file again to get a new one.")
        return True

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._key or b"", f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()
