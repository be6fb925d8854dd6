"""Operations of ingest's HTTP API."""

from typing import Annotated

from msgspec import Meta

from quire_schemas import examples
from quire_schemas.asked import MAX_KEY_BYTES, Cancel, Retry, RetryFiles
from quire_schemas.events import Policy
from quire_schemas.fields import CollectionId, Id
from quire_schemas.openapi.parts import Answer, Operation, Parameter, Service
from quire_schemas.openapi.problems import BatchCommandProblem, UploadCommandProblem, UploadProblem
from quire_schemas.openapi.published import OPENAPI
from quire_schemas.openapi.structs import About
from quire_schemas.views import (
    Accepted,
    BatchAnswer,
    CommandAccepted,
    CreatedBatch,
    CreatedFile,
    RejectedFile,
    RequestCommandAccepted,
)

_ALWAYS = ("unauthenticated", "forbidden", "origin_not_allowed", "internal", "auth_unavailable")
_COMMAND = (*_ALWAYS, "not_found", "too_slow", "request_too_large", "invalid_body", "log_unavailable", "notifier_unavailable")
_FILES = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                "files": {
                    "type": "array",
                    "items": {"type": "string", "contentMediaType": "application/pdf"},
                    "minItems": 1,
                    "description": "One part for each file, with a filename. The field may have any name.",
                }
            },
            "required": ["files"],
        },
    }
}
_FILE = CreatedFile(file_id=examples.REPORT, filename="report.pdf", size=48_213)
_ACCEPTED = Accepted(
    request_id=examples.REQUEST,
    collection_id=examples.COLLECTION,
    accepted=1,
    rejected=[RejectedFile(filename="notes.txt", code="not_a_pdf", message="This is not a PDF.")],
    batches=[CreatedBatch(batch_id=examples.BATCH, files=[_FILE])],
)
_TAKEN = CommandAccepted(batch_id=examples.BATCH, event_id="0d5b8e0e-0000-4000-8000-000000000001", generation=1)
_ASKED = RequestCommandAccepted(
    request_id=examples.REQUEST,
    batches=[
        BatchAnswer(batch_id=examples.BATCH, status=202),
        BatchAnswer(batch_id="b7c0de5e-0000-4000-8000-000000000002", status=409, code="batch_ended"),
    ],
)

_UPLOAD = Operation(
    "/api/documents/process",
    "upload",
    "Uploads",
    "Uploads PDF files.",
    (Answer(202, "Accepted: every batch of the upload is in the log.", Accepted, _ACCEPTED),),
    (
        *_ALWAYS,
        "malformed_multipart",
        "no_files",
        "too_slow",
        "request_too_large",
        "too_many_files",
        "too_many_parts",
        "unsupported_media_type",
        "all_rejected",
        "idempotency_conflict",
        "no_room",
        "log_unavailable",
        "storage_unavailable",
    ),
    method="post",
    description=(
        "Every accepted file ends as processed, failed or cancelled. With an Idempotency-Key, sending the same files again gives "
        "the same answer, and no file is processed twice. Without one, a refused request has started nothing."
    ),
    parameters=(
        Parameter(
            "collection_id", CollectionId, "The collection that the files belong to. If left out: `default`.", example="default"
        ),
        Parameter(
            "policy",
            Policy,
            "`isolate`: a bad file fails alone. `all_or_nothing`: a bad file fails its whole batch. If left out: `isolate`.",
        ),
        Parameter("name", str, "A name for the upload. If left out: that of its folder or first file.", refused=False),
        Parameter(
            "Idempotency-Key",
            Annotated[str, Meta(min_length=1, max_length=MAX_KEY_BYTES)],
            "A key of your own for this upload. It makes a repeated request safe.",
            "header",
            example="2026-03-invoices",
        ),
    ),
    media_body=_FILES,
    refusal=UploadProblem,
)


def _command(of: str, what: str, summary: str, body: type[Cancel | Retry | RetryFiles], codes: tuple[str, ...]) -> Operation:
    """Returns the operation of a command; `of` is "batch" or "request", `what` is "cancel" or "retry"."""
    batch = of == "batch"
    answer = Answer(202, "Accepted: the command is in the log.", CommandAccepted, _TAKEN)
    answers = Answer(202, "Accepted by at least one batch; `batches` has the answer of each.", RequestCommandAccepted, _ASKED)
    return Operation(
        f"/api/{of}{'es' if batch else 's'}/{{{of}_id}}/{what}",
        f"{what}_{of}",
        "Commands",
        summary,
        (answer if batch else answers,),
        (*_COMMAND, *codes),
        method="post",
        parameters=(
            Parameter(
                f"{of}_id",
                Id,
                "The UUID of the batch." if batch else "The UUID of the upload.",
                "path",
                required=True,
                refused=False,
            ),
        ),
        body=body,
        refusal=BatchCommandProblem if batch else UploadCommandProblem,
    )


SERVICE = Service(
    "ingest",
    "Quire: ingest",
    "Accepts uploads and commands. A 202 is a promise: what it names is in the log. Errors are problem JSON (RFC 9457).",
    8001,
    (
        _UPLOAD,
        _command("request", "cancel", "Cancels every batch of an upload.", Cancel, ("batch_ended", "nothing_to_retry")),
        _command(
            "request",
            "retry",
            "Processes failed and cancelled files of an upload again.",
            RetryFiles,
            ("batch_not_ended", "nothing_to_retry"),
        ),
        _command("batch", "cancel", "Cancels a batch. Finished files keep their results.", Cancel, ("batch_ended",)),
        _command(
            "batch",
            "retry",
            "Processes failed and cancelled files of a batch again.",
            Retry,
            ("batch_not_ended", "nothing_to_retry", "unknown_files"),
        ),
        Operation(
            "/",
            "about",
            "Service",
            "Names the service.",
            (
                Answer(
                    200, "Name, and where to upload.", About, About(service="quire-ingest", upload="POST /api/documents/process")
                ),
            ),
            ("internal",),
            open=True,
        ),
        OPENAPI,
    ),
)
