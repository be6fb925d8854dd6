"""Reads the list of batches from the notifier. A log that lacks one of them was cut or made anew, or is another one."""

from collections.abc import Mapping

import httpx
import msgspec
from msgspec import Struct

from quire_runtime.errors import CannotServe

AT_ONCE = 500


class NotifierSilent(CannotServe):
    """The notifier does not say which batches there are. Start it, or set QUIRE_NOTIFIER_URL and QUIRE_TOKEN."""


class _Batch(Struct):
    """A batch in the notifier's answer, with the fields that are needed here."""

    batch_id: str
    generation: int


class _Page(Struct):
    items: list[_Batch]
    next_cursor: str | None


async def listed_batches(client: httpx.AsyncClient, token: str | None) -> dict[str, int]:
    """Returns the generation of every batch by its id; with jwt authentication, of the batches that the token may read.

    `client` has the notifier as its base URL. Raises NotifierSilent.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    found: dict[str, int] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = await _page(client, {"limit": str(AT_ONCE)} | ({"cursor": cursor} if cursor else {}), headers)
        found.update((batch.batch_id, batch.generation) for batch in page.items)
        cursor = page.next_cursor
    return found


async def _page(client: httpx.AsyncClient, params: Mapping[str, str], headers: Mapping[str, str]) -> _Page:
    try:
        answer = await client.get("/api/batches", params=params, headers=headers)
        if answer.status_code == 200:
            return msgspec.json.decode(answer.content, type=_Page)
        why = f"it answers {answer.status_code}"
    except (httpx.HTTPError, msgspec.DecodeError) as error:
        why = str(error) or type(error).__name__
    raise NotifierSilent(
        f"the notifier at {client.base_url} does not say which batches there are ({why}), so nobody knows whether this log names "
        "all of them. Start it, or set QUIRE_NOTIFIER_URL and QUIRE_TOKEN (or QUIRE_TOKEN_FILE)"
    )
