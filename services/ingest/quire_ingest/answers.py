"""The problems (RFC 9457) that ingest answers with when it cannot answer 202."""

from collections.abc import Iterable

from quire_ingest.records import Manifest, RequestRecord
from quire_runtime.http import Problem
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.storage import StorageRefuses, StorageUnavailable
from quire_schemas.views import CreatedBatch

log = get_logger(__name__)

RETRY_AFTER = {"Retry-After": "5"}


def no_files() -> Problem:
    return Problem(400, "no_files", "The request holds no file. Send each PDF as a part with a filename.")


def all_rejected(record: RequestRecord) -> Problem:
    """Returns the problem that no file of a request is accepted, with the fields of a 202's body."""
    answer = record.answer()
    return Problem(
        422,
        "all_rejected",
        "None of the files can be taken; `rejected` says why.",
        **{name: getattr(answer, name) for name in answer.__struct_fields__},
    )


def conflict() -> Problem:
    return Problem(
        422,
        "idempotency_conflict",
        "Other files, or another policy, were sent under this Idempotency-Key before. Use a new key for new content.",
    )


def away(error: StorageUnavailable | LogUnavailable) -> Problem:
    """Returns the problem that the log or the object store is away, or that the object store refuses a request.

    A refusal is logged: its cause is for the operator, not for the client.
    """
    if isinstance(error, LogUnavailable):
        return Problem(
            503, "log_unavailable", "The log does not take events now. Send the same again in a while.", headers=RETRY_AFTER
        )
    if isinstance(error, StorageRefuses):
        log.error("an upload cannot be stored", error=str(error))
        detail = "The object store refuses to take files. The cause is in the log of ingest, for its operator to mend."
        return Problem(503, "storage_unavailable", detail)
    return Problem(503, "storage_unavailable", "The object store is away. Send the same again in a while.", headers=RETRY_AFTER)


def internal() -> Problem:
    return Problem(
        500, "internal", "Something unexpected went wrong here. Send the same again, and report it if that fails, too."
    )


def disk_full(error: OSError) -> Problem:
    detail = f"Ingest has no room to receive files ({error.strerror or error}). Send the same again in a while."
    return Problem(503, "no_room", detail, headers=RETRY_AFTER)


def with_batches(problem: Problem, request_id: str, acknowledged: Iterable[Manifest], unknown: Iterable[Manifest]) -> Problem:
    """Returns the problem, with the batches of the request that the log has or may have.

    Batches that are `acknowledged` run (field `batches`). Batches that are `unknown` may run: they were sent without an
    acknowledgement.
    """
    batches, perhaps = [manifest.view() for manifest in acknowledged], [manifest.view() for manifest in unknown]
    if not batches and not perhaps:
        return problem
    extra = problem.extra | {"request_id": request_id, "batches": batches, "unknown": perhaps}
    detail = " ".join([problem.detail, *_running("Running all the same", batches), *_running("Perhaps running", perhaps)])
    return Problem(problem.status, problem.code, detail, headers=problem.headers, **extra)


def _running(what: str, batches: list[CreatedBatch]) -> list[str]:
    files = sum(len(batch.files) for batch in batches)
    return [f"{what}: {len(batches)} of its batches, with {files} files."] if batches else []
