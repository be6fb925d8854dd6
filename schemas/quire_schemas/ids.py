"""Event ids: UUIDv5 of what makes an event unique, so that an event sent twice has the same id (docs/design.md, "The log")."""

from collections.abc import Iterable
from uuid import UUID, uuid5

NAMESPACE = UUID("5c0a2a52-3a50-5e57-9d0e-6b1f4a6f2b25")


def derived(*parts: object) -> str:
    """Returns the UUIDv5 of the parts, in their order."""
    return str(uuid5(NAMESPACE, "\n".join(str(part) for part in parts)))


def created_id(batch_id: str) -> str:
    return derived("created", batch_id)


def started_id(batch_id: str, attempt: int, run_id: str) -> str:
    return derived("started", batch_id, attempt, run_id)


def progressed_id(run_id: str, number: int) -> str:
    """Returns the id of a progress event; `number` counts the progress events of the run."""
    return derived("progressed", run_id, number)


def released_id(run_id: str) -> str:
    return derived("released", run_id)


def settled_id(run_id: str, file_id: str) -> str:
    """Returns the id of a file's outcome: the same for processed and failed, as a run tells one outcome of a file, once."""
    return derived("settled", run_id, file_id)


def ended_id(run_id: str) -> str:
    """Returns the id of a run's end: the same for completed and failed."""
    return derived("ended", run_id)


def cancel_id(batch_id: str, generation: int) -> str:
    return derived("cancel", batch_id, generation)


def retry_id(batch_id: str, generation: int, *, force: bool, file_ids: Iterable[str] | None) -> str:
    named = "all" if file_ids is None else ",".join(sorted(file_ids))
    return derived("retry", batch_id, generation, force, named)
