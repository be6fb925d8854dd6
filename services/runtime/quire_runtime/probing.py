"""Tries, before they are needed, the operations of the object store that a service uses. Each refusal is reported with its
cure.
"""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from quire_runtime.logs import get_logger
from quire_runtime.retry import retrying
from quire_runtime.storage import PROBE, AlreadyThere, ObjectStore, StorageRefuses, is_away

log = get_logger(__name__)

_UNCONDITIONAL = (
    "the object store does not keep the first of two conditional puts (If-None-Match: *). An Idempotency-Key holds for requests "
    "one after the other; of two at the same time with different files, both may be accepted and one runs. Use a store that can"
)


async def probed(store: ObjectStore, prefix: str, *, claims: bool = False, give_up_after: float | None = None) -> None:
    """Logs what the store lacks. Waits while the store is away, for `give_up_after` seconds at most, then raises
    StorageUnavailable. Raises StorageRefuses.
    """
    found = await retrying(
        lambda: lacking(store, prefix, claims=claims),
        transient=is_away,
        give_up_after=give_up_after,
        on_retry=lambda error, attempt: log.warning("waiting for the object store", error=str(error), attempt=attempt),
    )
    for sentence in found:
        log.warning("the object store can or may do less than Quire wants", lacking=sentence)


async def lacking(store: ObjectStore, prefix: str, *, claims: bool) -> list[str]:
    """Puts an object, lists, and deletes a missing key below `prefix`. With `claims`, also puts the object again on condition.
    Returns a sentence, with its cure, for each refusal that the service can work with. Raises StorageRefuses for any other
    refusal, and StorageUnavailable.
    """
    await store.put(PROBE, b"")
    found = [
        *await _refused(lambda: _list(store), "What runs left behind stays, and `quire sweep` cannot work"),
        *await _refused(lambda: store.delete_many([f"{prefix}{PROBE}-{uuid4()}"]), "What nothing names stays"),
    ]
    if claims:
        store.conditional = await _keeps_the_first(store)
        found += [] if store.conditional else [_UNCONDITIONAL]
    return found


async def _refused(attempt: Callable[[], Awaitable[None]], consequence: str) -> list[str]:
    try:
        await attempt()
    except StorageRefuses as error:
        return [f"{consequence}: {error}"]
    return []


async def _list(store: ObjectStore) -> None:
    async for _ in store.list(PROBE):
        return


async def _keeps_the_first(store: ObjectStore) -> bool:
    try:
        await store.put(PROBE, b"", if_none_match=True)
    except AlreadyThere:
        return True
    except StorageRefuses:
        return False
    return False
