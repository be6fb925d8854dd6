"""The requests that every file needs: to put and to get an object. They are signed here. `Exchange` sends small ones, and
aiohttp sends streams and requests through a proxy.

botocore takes six times the CPU for the same request. All other requests go through botocore, and its endpoint, credentials and
CA are used here.
"""

import asyncio
import hashlib
import io
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from html import unescape
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.httpsession import get_cert_path
from yarl import URL

from quire_runtime.exchange import Exchange
from quire_runtime.settings import S3Settings
from quire_runtime.signing import UNSIGNED, Credentials, Signer, encoded

if TYPE_CHECKING:
    from aiobotocore.credentials import AioCredentials

CONNECT_SECONDS = 5.0
CHUNK_BYTES = 256 * 1024
_IDLE_SECONDS = 12.0  # botocore's value: less than servers allow
_REFUSED = 300
_METHODS = {"GetObject": "GET", "PutObject": "PUT"}
_NOTHING = hashlib.sha256(b"").hexdigest()
_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


class Objects:
    """Puts and gets objects of one bucket. `endpoint` is the URL of the server as botocore has resolved it."""

    def __init__(self, settings: S3Settings, session: AioSession, endpoint: str) -> None:
        self._settings = settings
        self._session = session
        parts = urlsplit(endpoint.rstrip("/"))
        self._secure = parts.scheme == "https"
        self._path = f"{parts.path}/{settings.bucket}/"
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._signer = Signer(parts.netloc, settings.region)
        self._address = parts.hostname or "", parts.port or (443 if self._secure else 80)
        self._proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)

    async def __aenter__(self) -> Self:
        bundle = self._session.get_config_variable("ca_bundle") or get_cert_path(True)  # noqa: FBT003 -- botocore's signature
        trust = await asyncio.to_thread(ssl.create_default_context, cafile=bundle) if self._secure else None
        self._credentials: AioCredentials | None = await self._session.get_credentials()
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.pool_size, keepalive_timeout=_IDLE_SECONDS, ssl=trust or True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=self._settings.timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )
        self._exchange = Exchange(
            self._address,
            trust,
            connections=self._settings.pool_size,
            connect=CONNECT_SECONDS,
            patience=self._settings.timeout_seconds,
            idle=_IDLE_SECONDS,
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._exchange.close()
        await self._http.close()

    async def get(self, key: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Returns the answer; its body is still to be read. Raises ClientError as botocore does."""
        return await self._send("GetObject", key, None, _NOTHING, headers)

    async def whole(self, key: str) -> bytes:
        """Returns the whole object; only for small objects. Raises ClientError as botocore does."""
        if self._proxy is not None:
            async with await self.get(key, {}) as answer:
                return await answer.read()
        return await self._exchanged("GetObject", key, b"", _NOTHING, {})

    async def put(self, key: str, body: bytes | IO[bytes], size: int, headers: Mapping[str, str]) -> None:
        """Puts `size` bytes; those of a file are read from its current position. Raises ClientError as botocore does."""
        if isinstance(body, io.BytesIO):
            body = body.getvalue()[body.tell() :]
        payload = UNSIGNED if self._secure or not isinstance(body, bytes) else hashlib.sha256(body).hexdigest()
        if isinstance(body, bytes) and self._proxy is None:
            await self._exchanged("PutObject", key, body, payload, headers)
            return
        data = body if isinstance(body, bytes) else _pieces(body)
        async with await self._send("PutObject", key, data, payload, {**headers, "content-length": str(size)}) as answer:
            await answer.read()

    async def _exchanged(self, operation: str, key: str, body: bytes, payload: str, headers: Mapping[str, str]) -> bytes:
        method, path, signed = await self._signed(operation, key, payload, headers)
        answer = await self._exchange.ask(method, path, signed, body, repeatable="if-none-match" not in headers)
        if answer.status < _REFUSED:
            return answer.body
        raise _failure(operation, answer.status, answer.body)

    async def _signed(
        self, operation: str, key: str, payload: str, headers: Mapping[str, str]
    ) -> tuple[str, str, dict[str, str]]:
        """Returns method, path and headers of a request."""
        method, path = _METHODS[operation], self._path + encoded(key)
        return method, path, self._signer.sign(method, path, payload, headers, await self._valid_credentials())

    async def _send(
        self, operation: str, key: str, body: bytes | AsyncIterator[bytes] | None, payload: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        method, path, signed = await self._signed(operation, key, payload, headers)
        answer = await self._http.request(
            method,
            URL(self._origin + path, encoded=True),
            data=body,
            headers=signed,
            proxy=self._proxy,
            allow_redirects=False,
        )
        if answer.status < _REFUSED:
            return answer
        async with answer:
            raise _failure(operation, answer.status, await answer.read())

    async def _valid_credentials(self) -> Credentials:
        """Returns the credentials; temporary ones are renewed in time. Raises NoCredentialsError."""
        found = None if self._credentials is None else await self._credentials.get_frozen_credentials()
        if found is None or found.access_key is None or found.secret_key is None:
            raise NoCredentialsError
        return Credentials(found.access_key, found.secret_key, found.token)


def _failure(operation: str, status: int, body: bytes) -> ClientError:
    """Returns the ClientError that botocore would raise. An answer of something in between, such as a proxy, has no S3 code."""
    said = {"Code": _element(_CODE, body) or str(status), "Message": _element(_MESSAGE, body)}
    return ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[typeddict-item]  # the stub wants what no failure has


def _element(element: re.Pattern[bytes], body: bytes) -> str:
    found = element.search(body)
    return "" if found is None else unescape(found[1].decode(errors="replace"))


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield piece
