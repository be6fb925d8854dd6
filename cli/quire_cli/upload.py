"""Files to ingest, in requests that are sent again with the same key until they are answered."""

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
"""Of one request. What is sent again after an outage is at most so much, and an upload may be larger than ingest's limits."""
HEAD_BYTES = 1024
"""Of a part of the body, beside the file itself."""
ANSWER_WITHIN_S = 600.0


class Watching(Protocol):
    """Who wants to know how an upload goes."""

    def sending(self, sent: int) -> None:
        """So many bytes of files have been handed over, of the whole upload."""

    def sent(self, files: Sequence[Chosen], answer: Accepted) -> None:
        """These were taken, except for what the answer rejects."""

    def again(self, reason: str, pause: float) -> None:
        """A request is sent again in so many seconds."""


class Order(Struct, frozen=True):
    """What the user wants done with the files."""

    collection: str
    policy: str
    key: str
    patience: float
    """Seconds to try again while Quire is away."""


async def upload(api: Api, files: Sequence[Chosen], order: Order, watching: Watching) -> None:
    """Returns when every request is answered. Raises CliError: then those before it are accepted."""
    url = f"{await api.ingest_url()}/api/documents/process"
    before = 0
    for number, part in enumerate(parts(files, await api.config())):
        key = order.key if number == 0 else f"{order.key}-{number + 1}"
        answer = await _request(api, url, _Part(part, key, before), order, watching)
        before += sum(file.size for file in part)
        watching.sending(before)
        watching.sent(part, answer)


def parts(files: Sequence[Chosen], config: Config) -> Iterator[list[Chosen]]:
    """The files in order, in requests within the limits; whole batches where the size allows it."""
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
    """One request of several; `before`: bytes that those before it have sent."""

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
    """A 422 that rejects every file is an answer like a 202; raises Answered for all others."""
    if response.status_code == 422 and refusal(response).code == "all_rejected":
        return read(httpx.Response(202, content=response.content, request=response.request), Accepted)
    return read(response, Accepted)
