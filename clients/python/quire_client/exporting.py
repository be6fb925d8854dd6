"""Reads the results of an upload, file by file, through lost connections."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Literal

import httpx
import msgspec

from quire_client.cursor import Refused
from quire_client.over_http import Problem
from quire_client.over_socket import is_local

PASSING = frozenset({429, 502, 503, 504})
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
TIMEOUT = httpx.Timeout(60, connect=10)

File = dict[str, Any]
"""A line of `GET /api/export` (docs/api.md): with the file's `pages` for `text`, with all its fields for `report`."""


async def exported(
    url: str, *, kind: Literal["text", "report"] = "text", token: str | None = None, patience: float = 60.0, **of: str
) -> AsyncGenerator[File]:
    """Yields each file of `request_id=`, `batch_id=` or `collection_id=` once, in the order of the upload.

    After a lost connection, the export resumes after the last file that came whole. Raises Refused when the notifier refuses,
    and httpx.HTTPError when no file comes for `patience` seconds.
    """
    params = {**of, "kind": kind, "format": "jsonl"}
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT, trust_env=not is_local(url)) as client:
        waited, pause = 0.0, FIRST_PAUSE_S
        while True:
            try:
                async with client.stream("GET", f"{url.rstrip('/')}/api/export", params=params) as answer:
                    await _check(answer)
                    async for line in _lines(answer):
                        file: File = msgspec.json.decode(line)
                        params["cursor"] = file["cursor"]
                        waited, pause = 0.0, FIRST_PAUSE_S
                        yield file
            except (httpx.TransportError, httpx.HTTPStatusError):
                if waited >= patience:
                    raise
            else:
                return
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_S)


async def _check(answer: httpx.Response) -> None:
    """Raises HTTPStatusError for an error that may pass, Refused for any other error."""
    if answer.is_success:
        return
    if answer.status_code in PASSING:
        answer.raise_for_status()
    try:
        problem = msgspec.json.decode(await answer.aread(), type=Problem)
    except msgspec.DecodeError:
        raise Refused(f"{answer.url} answered {answer.status_code}, and not as Quire does") from None
    raise Refused(f"{problem.detail.rstrip('.')} ({problem.code})", problem.code)


async def _lines(answer: httpx.Response) -> AsyncGenerator[bytes]:
    """Yields the complete lines. Only a line feed ends a line, because texts hold other line separators."""
    rest = b""
    async for chunk in answer.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
