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
_NONE_MATCH = Parameter("If-None-Match", str, "The ETag of what you have.", "header", refused=False)
_RANGE = Parameter("Range", str, "`bytes=first-last`; other ranges are ignored.", "header", refused=False)
_DOWNLOAD = Parameter("download", str, "Anything: the answer is an attachment.", refused=False)
_TAG = {"ETag": "What the content is, for If-None-Match."}
_SAME = Answer(304, "It is what you have.", headers=_TAG)
_PART = {**_TAG, "Content-Range": "Which part it is."}
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
        "description": "A JSON object on each line: an ExportedText; of a report, a FileView that has a `cursor`, too.",
    },
    "text/csv": {"type": "string"},
    "application/zip": {},
}
_EXPORTED = (
    ask.COLLECTION,
    ask.OF_REQUEST,
    ask.OF_BATCH,
    Parameter("kind", Literal["text", "original", "report"], "What of each file; `text` where it is left out."),
    Parameter("format", Literal["jsonl", "csv", "zip"], "`original` comes as zip alone; else jsonl where it is left out."),
    Parameter("cursor", str, "Of jsonl: the `cursor` of the last line that you have."),
)


def _content(kind: str, summary: str, media: dict[str, Schema], type_: type[FileText] | None = None) -> Operation:
    return Operation(
        f"/api/files/{{file_id}}/{kind}",
        kind,
        "Files",
        summary,
        (
            Answer(200, "The content.", type_, None if type_ is None else _TEXT, media, _TAG),
            Answer(206, "A part of it.", media=media if type_ is None else {JSON: {}}, headers=_PART),
            _SAME,
        ),
        (*_CODES, "range_not_satisfiable"),
        parameters=(ask.FILE_ID, _DOWNLOAD, ask.EXPIRES, ask.SIGNATURE, _RANGE, _NONE_MATCH),
    )


OPERATIONS = (
    _content("original", "The PDF as it was uploaded.", {"application/pdf": {}}),
    _content("text", "The text by page; plain where Accept asks for text.", {"text/plain": {"type": "string"}}, FileText),
    _content("thumbnail", "A picture of the first page.", {"image/jpeg": {}, "image/webp": {}}),
    Operation(
        "/api/export",
        "export",
        "Export",
        "Texts, originals, or a report of many files, in the order of the upload.",
        (
            Answer(
                200,
                "A stream of lines: ExportedText, or FileView. An archive is whole, or none.",
                media=_LINES,
                lines=(ExportedText, FileView),
            ),
        ),
        (*ask.GUARDED, "invalid_link", "link_expired", "not_found", "invalid_export", "busy", "database_unavailable"),
        description="Of one of `request_id`, `batch_id`, `collection_id`.",
        parameters=(*_EXPORTED, ask.EXPIRES, ask.SIGNATURE),
    ),
    Operation(
        "/api/export/link",
        "export_link",
        "Export",
        "An export as a link for a browser, which can send no token with a download.",
        (Answer(200, "The link.", ExportLink, ExportLink(link="api/export?request_id=4e90e570-0000-4000-8000-000000000001")),),
        (*ask.GUARDED, "not_found", "invalid_export", "database_unavailable"),
        parameters=_EXPORTED,
    ),
)
