"""Operations that answer stored content or a stream: the contents of files, and exports."""

from typing import Literal

from quire_schemas.json_schemas import Schema
from quire_schemas.openapi import asked_for as ask
from quire_schemas.openapi.parts import JSON, Answer, Operation, Parameter
from quire_schemas.openapi.structs import ExportedText, ExportLink, FileText, PageText
from quire_schemas.views import FileView

_CODES = (
    *ask.GUARDED,
    "invalid_link",
    "link_expired",
    "not_found",
    "object_missing",
    "busy",
    "database_unavailable",
    "storage_unavailable",
)
_NONE_MATCH = Parameter(
    "If-None-Match", str, "The ETag of the copy that you have. If it is still right, the answer is 304.", "header", refused=False
)
_RANGE = Parameter(
    "Range",
    str,
    "One range of bytes, `bytes=first-last`. Other forms are ignored, and the answer is the whole.",
    "header",
    refused=False,
)
_DOWNLOAD = Parameter(
    "download", str, "With any value, a browser saves the answer as a file instead of showing it.", refused=False
)
_TAG = {"ETag": "The version of this representation, for If-None-Match."}
_SAME = Answer(304, "Your copy is still right.", headers=_TAG)
_PART = {**_TAG, "Content-Range": "Which bytes these are, and how many there are in all."}
_TEXT = FileText(
    page_count=2,
    truncated=False,
    title="Report",
    metadata={"Title": "Report"},
    pages=[PageText(page=1, text="That the lantern be lit."), PageText(page=2, text="", missing="no_text")],
)
_LINES: dict[str, Schema] = {
    "application/jsonl": {
        "type": "string",
        "description": "A JSON object on each line: an ExportedText; in a report a FileView, with a `cursor`.",
    },
    "text/csv": {"type": "string"},
    "application/zip": {},
}
_EXPORTED = (
    ask.COLLECTION,
    ask.OF_REQUEST,
    ask.OF_BATCH,
    Parameter("kind", Literal["text", "original", "report"], "What to export of each file. If left out: `text`."),
    Parameter("format", Literal["jsonl", "csv", "zip"], "The format. If left out: jsonl. Originals come only as zip."),
    Parameter("cursor", str, "Resumes an export in jsonl: the `cursor` of the last line that arrived."),
)


def _content(kind: str, summary: str, media: dict[str, Schema], type_: type[FileText] | None = None) -> Operation:
    return Operation(
        f"/api/files/{{file_id}}/{kind}",
        kind,
        "Files",
        summary,
        (
            Answer(200, "The whole content.", type_, None if type_ is None else _TEXT, media, _TAG),
            Answer(206, "The bytes that Range asked for.", media=media if type_ is None else {JSON: {}}, headers=_PART),
            _SAME,
        ),
        (*_CODES, "range_not_satisfiable"),
        parameters=(ask.FILE_ID, _DOWNLOAD, ask.EXPIRES, ask.SIGNATURE, _RANGE, _NONE_MATCH),
    )


OPERATIONS = (
    _content("original", "The PDF as it was uploaded.", {"application/pdf": {}}),
    _content(
        "text",
        "The text of each page, as JSON; as plain text if Accept prefers text/plain.",
        {"text/plain": {"type": "string"}},
        FileText,
    ),
    _content("thumbnail", "A picture of the first page, as JPEG.", {"image/jpeg": {}, "image/webp": {}}),
    Operation(
        "/api/export",
        "export",
        "Export",
        "The texts, the originals, or a report of many files.",
        (
            Answer(
                200,
                "A stream, in the order of the upload. If it breaks off: jsonl can be resumed, and a zip cannot be opened.",
                media=_LINES,
                lines=(ExportedText, FileView),
            ),
        ),
        (*ask.GUARDED, "invalid_link", "link_expired", "not_found", "invalid_export", "busy", "database_unavailable"),
        description="Exactly one of `request_id`, `batch_id` and `collection_id` says which files are meant.",
        parameters=(*_EXPORTED, ask.EXPIRES, ask.SIGNATURE),
    ),
    Operation(
        "/api/export/link",
        "export_link",
        "Export",
        "A link to an export, for a browser: it can send no token with a download.",
        (Answer(200, "The link.", ExportLink, ExportLink(link="api/export?request_id=4e90e570-0000-4000-8000-000000000001")),),
        (*ask.GUARDED, "not_found", "invalid_export", "database_unavailable"),
        parameters=_EXPORTED,
    ),
)
