"""AWS Signature Version 4 for requests about S3 objects, in the `Authorization` header."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"
"""Replaces a payload's SHA-256 where the transport protects the payload."""


class Credentials(NamedTuple):
    """Credentials for S3. Only temporary ones have a `token`."""

    access_key: str
    secret_key: str
    token: str | None = None


class Signer:
    """Signs requests to one server in one region. `host` is the Host header."""

    def __init__(self, host: str, region: str) -> None:
        self._host = host
        self._region = region
        self._key: tuple[str, str, bytes] = ("", "", b"")

    def sign(self, method: str, path: str, payload: str, headers: Mapping[str, str], credentials: Credentials) -> dict[str, str]:
        """Returns the headers to send now: `headers`, whose names are in lower case, and those that sign them all. `path` is
        percent-encoded by `encoded`. `payload` is the hexadecimal SHA-256 of the body, or UNSIGNED.
        """
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        signed = {**headers, "host": self._host, "x-amz-content-sha256": payload, "x-amz-date": stamp}
        if credentials.token is not None:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        listed = ";".join(names)
        lines = "".join(f"{name}:{signed[name].strip()}\n" for name in names)
        request = hashlib.sha256(f"{method}\n{path}\n\n{lines}\n{listed}\n{payload}".encode()).hexdigest()
        scope = f"{stamp[:8]}/{self._region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}"
        signature = hmac.digest(self._key_of(stamp[:8], credentials.secret_key), text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _key_of(self, day: str, secret: str) -> bytes:
        if self._key[:2] != (day, secret):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = day, secret, key
        return self._key[2]


def encoded(path: str) -> str:
    """Returns a path percent-encoded as the signature requires and as S3 reads it."""
    return quote(path, safe="/~")
