"""Every problem that a service answers (RFC 9457): its code, its status, and an example of its sentence."""

from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from quire_schemas.events import Status
from quire_schemas.views import BatchAnswer, CreatedBatch, RejectedFile


class Problem(Struct, frozen=True, kw_only=True):
    """An answer other than success: `code` is for programs, `detail` for people. Some codes have further fields."""

    type: str
    title: str
    status: int
    code: str
    detail: str


class UploadProblem(Problem, frozen=True, kw_only=True):
    """A problem of an upload. Of an upload that has begun, `batches` run and `unknown` may run. `all_rejected` has the fields
    of a 202.
    """

    request_id: str | UnsetType = UNSET
    collection_id: str | UnsetType = UNSET
    accepted: int | UnsetType = UNSET
    rejected: list[RejectedFile] | UnsetType = UNSET
    batches: list[CreatedBatch] | UnsetType = UNSET
    unknown: list[CreatedBatch] | UnsetType = UNSET


class BatchCommandProblem(Problem, frozen=True, kw_only=True):
    """A problem of a command to a batch: it tells the batch's status, or which files the batch does not have."""

    batch_status: Status | UnsetType = UNSET
    generation: int | UnsetType = UNSET
    file_ids: list[str] | UnsetType = UNSET


class UploadCommandProblem(Problem, frozen=True, kw_only=True):
    """A problem of a command to an upload that no batch accepted: it tells the answer of each batch."""

    request_id: str | UnsetType = UNSET
    batches: list[BatchAnswer] | UnsetType = UNSET


class ResyncRequired(Problem, frozen=True, kw_only=True):
    """The feed cannot be resumed at the seq asked for. The feed of a collection tells its `last_seq`, and in `pruned_to` the
    seq up to which messages are gone.
    """

    epoch: str | UnsetType = UNSET
    last_seq: int | UnsetType = UNSET
    pruned_to: int | UnsetType = UNSET


class Kind(NamedTuple):
    """Status and sentence of a code. With `retried`, the same request may succeed later; the answer then tells when, except
    where an operator is needed.
    """

    status: int
    detail: str
    more: dict[str, Any] = {}  # noqa: RUF012 -- never changed
    retried: bool = False


_BATCH = {"batch_status": "completed", "generation": 0}
_UUID = "There is no such upload, batch or file, or the token may not read it."
PROBLEMS: dict[str, Kind] = {
    "malformed_multipart": Kind(400, "The body is not well-formed multipart/form-data: it ends in the middle of a part."),
    "no_files": Kind(400, "The request holds no file. Send each PDF as a part with a filename."),
    "unauthenticated": Kind(401, "A token is needed: send Authorization: Bearer …"),
    "forbidden": Kind(403, "The token lacks the scope quire:read."),
    "invalid_link": Kind(403, "The signature of this link is not ours. Ask for the file again to get a new one."),
    "link_expired": Kind(403, "This link has expired. Ask for the file again to get a new one."),
    "origin_not_allowed": Kind(403, "Pages of https://example.org may not use this API. QUIRE_ORIGINS lists those that may."),
    "not_found": Kind(404, _UUID),
    "object_missing": Kind(404, "The object store does not have this any more."),
    "too_slow": Kind(408, "Nothing came for 60 s. Send the files again."),
    "batch_ended": Kind(409, "The batch has ended: it is completed.", _BATCH),
    "batch_not_ended": Kind(
        409, "The batch is processing. Wait for its end, cancel it, or use force.", {**_BATCH, "batch_status": "processing"}
    ),
    "nothing_to_retry": Kind(409, "None of these files failed or was cancelled: there is nothing to do again.", _BATCH),
    "resync_required": Kind(410, "The feed was rebuilt. Begin again, without after.", {"epoch": "e90c0000"}),
    "request_too_large": Kind(413, "An upload may take 16384 MiB, all files together. Send the files in several uploads."),
    "too_many_files": Kind(413, "An upload may hold 10000 files. Send the rest in another upload."),
    "too_many_parts": Kind(413, "The multipart body is beyond what is allowed: too many parts."),
    "unsupported_media_type": Kind(415, "Send the files as parts of a multipart/form-data body."),
    "range_not_satisfiable": Kind(416, "The file does not reach so far."),
    "unknown_host": Kind(421, "This address is for this machine alone. To use another name: set QUIRE_ORIGINS, or QUIRE_AUTH."),
    "all_rejected": Kind(422, "None of the files can be taken; `rejected` says why."),
    "idempotency_conflict": Kind(422, "Other files were sent under this Idempotency-Key before. Use a new key for new content."),
    "invalid_body": Kind(422, "The body is not as it should be: Expected `object`, got `array`."),
    "unknown_files": Kind(
        422,
        "The batch has no file f11e0000-0000-4000-8000-000000000009.",
        {"file_ids": ["f11e0000-0000-4000-8000-000000000009"]},
    ),
    "too_many_sockets": Kind(429, "Too many streams of this address are open. Close some.", retried=True),
    "internal": Kind(500, "Something went wrong here, not with the request. The log has the details."),
    "auth_unavailable": Kind(503, "The key set cannot be fetched now; try again.", retried=True),
    "busy": Kind(503, "Too many contents are being sent. Try again in a while.", retried=True),
    "database_unavailable": Kind(503, "The database does not answer. Try again in a while.", retried=True),
    "log_unavailable": Kind(503, "The log does not take events now. Send the same again in a while.", retried=True),
    "no_room": Kind(503, "Ingest has no room to receive files. Send the same again in a while.", retried=True),
    "notifier_unavailable": Kind(503, "The notifier does not answer. Try again in a while.", retried=True),
    "storage_unavailable": Kind(503, "The object store does not answer. Try again in a while.", retried=True),
}


def kind_of(code: str) -> Kind:
    """Returns the kind of a code; `invalid_` and a parameter's name is a 422. Raises KeyError for an unknown code."""
    if code not in PROBLEMS and code.startswith("invalid_"):
        return Kind(422, f"{code.removeprefix('invalid_')} is not as it should be. The answer says what it takes.")
    return PROBLEMS[code]
