"""The key set of an identity provider. It is fetched once for all callers, without a lock, and not in the default executor.

A known key is returned at once, also while the set is being fetched again or cannot be fetched. Only a caller with an unknown
key id waits, and only while a fetch is running. After a failed fetch there is no fetch for a while, and the answer is KeysAway.
"""

import asyncio
import time
from collections.abc import Mapping

import aiohttp
from jwt import PyJWK, PyJWKSet

from quire_runtime.logs import get_logger

log = get_logger(__name__)

FRESH_SECONDS = 300.0
"""Age in seconds from which known keys are fetched again; they are still used meanwhile."""
UNKNOWN_SECONDS = 10.0
"""Seconds between two fetches for key ids that the set does not have. Anybody can write a token with such an id."""
FAILED_SECONDS = 5.0
"""Seconds between a failed fetch and the next one."""
FETCH_SECONDS = 5.0
"""Seconds until a fetch counts as failed."""


class KeysAway(Exception):
    """The key set cannot be fetched now, and the key asked for is not known. Try again in a while."""


class KeySet:
    """The keys by id, and the one task that fetches them. Must be closed with `aclose`."""

    def __init__(self, url: str, *, keep: float, fresh: float = FRESH_SECONDS, unknown: float = UNKNOWN_SECONDS) -> None:
        """`keep` is the time in seconds after the last successful fetch for which its keys are used."""
        self._url = url
        self._keep, self._fresh, self._unknown = keep, fresh, unknown
        self._keys: Mapping[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._next_at = float("-inf")
        self._failing = False
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> PyJWK | None:
        """Returns a key, or None when the set has no such key. Raises KeysAway."""
        if (known := self._known(kid)) is not None:
            if time.monotonic() - self._fetched_at > self._fresh:
                self._fetch_soon()
            return known
        if (fetching := self._fetch_soon()) is not None:
            await asyncio.shield(fetching)  # a cancelled caller does not end the fetch for the others
        known = self._known(kid)
        if known is None and self._failing:
            raise KeysAway
        return known

    async def aclose(self) -> None:
        """Cancels a running fetch."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _known(self, kid: str) -> PyJWK | None:
        return self._keys.get(kid) if time.monotonic() - self._fetched_at <= self._keep else None

    def _fetch_soon(self) -> asyncio.Task[None] | None:
        """Returns the running fetch, or a new one, or None when it is too early for a new one."""
        if self._fetching is None and time.monotonic() >= self._next_at:
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            self._keys = await _fetched(self._url)
        except Exception as error:  # noqa: BLE001 -- after any failure, the known keys are still used
            if not self._failing:
                log.warning(
                    "the key set cannot be fetched", url=self._url, error=str(error) or repr(error), known=len(self._keys)
                )
            self._failing = True
            self._next_at = time.monotonic() + FAILED_SECONDS
        else:
            if self._failing:
                log.info("the key set is fetched again", url=self._url, known=len(self._keys))
            self._failing = False
            self._fetched_at = time.monotonic()
            self._next_at = self._fetched_at + self._unknown
        finally:
            self._fetching = None


async def _fetched(url: str) -> Mapping[str, PyJWK]:
    """Fetches the keys for signatures, by id; at least one. Raises the errors of aiohttp and PyJWT, and ValueError."""
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"the answer is {answer.status} {answer.reason}")
        text = await answer.text()
    keys = [key for key in PyJWKSet.from_json(text).keys if key.key_id and key.public_key_use in {"sig", None}]
    if not keys:
        raise ValueError("the answer holds no key for signatures")
    return {key.key_id: key for key in keys if key.key_id}
