"""Uploads files to ingest, in requests that are sent again with the same key until they are answered."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import httpx
from msgspec import Struct

from quire_cli import words
from quire_cli.api import Api, BrokenOff, patiently, read, refusal
from quire_cli.gather import Chosen
from quire_cli.multipart import Body
from quire_schemas.views import Accepted, Config

MAX_FILES, MAX_BYTES = 1_000, 2 * 1024**3
"""Limits of one request. An upload of many requests may exceed ingest's limits, and an outage costs at most one of them."""
HEAD_BYTES = 1024
"""Number of bytes counted for each part of the body, in addition to its file."""
ANSWER_WITHIN_S = 600.0


class Watching(Protocol):
    """Receives the progress of an upload."""

    def sending(self, sent: int) -> None:
        """Tells how many bytes of files have been sent, of the whole upload."""

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:
        """Tells that ingest answered: it accepted `files`, except for those that the answer rejects."""

    def again(self, reason: str, pause: float) -> None:
        """Tells that a request failed for `reason` and is sent again in `pause` seconds."""


class Order(Struct, frozen=True):
    """Options of the user for an upload."""

    collection: str
    policy: str
    key: str
    patience: float
    """Seconds to try again while Quire is away."""


async def upload(api: Api, files: Sequence[Chosen], order: Order, watching: Watching) -> None:
    """Sends the files; returns when every request is answered.

    Raises CliError when a request fails; the requests before it are accepted all the same.
    """
    url = f"{await api.ingest_url()}/api/documents/process"
    before = 0
    for number, part in enumerate(parts(files, await api.config())):
        key = order.key if number == 0 else f"{order.key}-{number + 1}"
        answer = await _request(api, url, _Part(part, key, before), order, watching)
        before += sum(file.size for file in part)
        watching.sending(before)
        watching.sent(part, answer)


def parts(files: Sequence[Chosen], config: Config) -> Iterator[list[Chosen]]:
    """Splits the files, in order, into requests within the limits; into whole batches where the size allows it."""
    most = min(MAX_FILES, config.limits.max_files)
    most = most // config.batch_size * config.batch_size or most
    room = min(MAX_BYTES, config.limits.max_request_bytes)
    part: list[Chosen] = []
    size = 0
    for file in files:
        takes = file.size + HEAD_BYTES
        if part and (len(part) == most or size + takes > room):
            yield part
            part, size = [], 0
        part.append(file)
        size += takes
    if part:
        yield part


def new_key() -> str:
    return f"quire-cli-{secrets.token_hex(16)}"


class _Part(NamedTuple):
    """One request of an upload; `before` is the number of bytes that earlier requests have sent."""

    files: Sequence[Chosen]
    key: str
    before: int


async def _request(api: Api, url: str, part: _Part, order: Order, watching: Watching) -> Accepted:
    async def send() -> Accepted:
        body = Body(part.files, f"quire-{secrets.token_hex(16)}", lambda sent: watching.sending(part.before + sent))
        try:
            response = await api.send(
                "POST",
                url,
                content=body,
                params={"collection_id": order.collection, "policy": order.policy},
                headers={**body.headers, "Idempotency-Key": part.key},
                timeout=httpx.Timeout(60, read=ANSWER_WITHIN_S, connect=10),
            )
        except BrokenOff as error:
            size = words.size(sum(file.size for file in part.files))
            perhaps = f"If it does so each time, something in front of ingest takes no body of {size}: raise its limit."
            raise BrokenOff(f"{error} {perhaps}") from error
        return accepted(response)

    answer: Accepted = await patiently(send, order.patience, watching.again)
    return answer


def accepted(response: httpx.Response) -> Accepted:
    """Returns the body of a 202, or of a 422 that rejects every file. Raises Answered for all other errors."""
    if response.status_code == 422 and refusal(response).code == "all_rejected":
        return read(httpx.Response(202, content=response.content, request=response.request), Accepted)
    return read(response, Accepted)
