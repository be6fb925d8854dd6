"""Links to the contents of files. With jwt they are signed, as a browser cannot send a token with an image or a download."""

import hashlib
import hmac
import time
from collections.abc import Mapping

from quire_runtime.http import Problem


class SignedLinks:
    """Makes and checks links. A link is valid for between one and two times `seconds`. The same link is given out for up to
    `seconds`, so that browsers can cache its content.
    """

    def __init__(self, key: bytes | None, seconds: float) -> None:
        """`key` None means that links need no signature."""
        self._key = key
        self._seconds = int(seconds)

    def __call__(self, file_id: str, kind: str) -> str:
        """Returns a link as a `row_views.Linker`. It is relative to the notifier's address, because only clients know the path
        in front of it.
        """
        return self.signed(self.unsigned(file_id, kind))

    def signed(self, link: str) -> str:
        """Returns the link, relative to the notifier's address, with a signature if links need one."""
        if self._key is None:
            return link
        expires = (int(time.time()) // self._seconds + 2) * self._seconds
        return f"{link}{'&' if '?' in link else '?'}expires={expires}&signature={self._signature(f'/{link}', expires)}"

    def unsigned(self, file_id: str, kind: str) -> str:
        """Returns a link without a signature as a `row_views.Linker`, for clients that may know of a file but need a token for
        its contents.
        """
        return f"api/files/{file_id}/{kind}"

    def allows(self, path: str, query: Mapping[str, str]) -> bool:
        """Returns whether the request came by a signed link; `path` is what was signed. Raises Problem 403 when the link is
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
