"""Converts rows of `batch` and `file_metadata` to the views that the API returns. Pure."""

from collections.abc import Callable

import msgspec

from quire_notifier.projecting.rows import BatchRow, FileRow, batch_row, file_row, positions
from quire_schemas.fields import Notice
from quire_schemas.states import BatchState
from quire_schemas.views import BatchView, FileView, Links

Linker = Callable[[str, str], str]
"""Returns the link that is shown, for a file's id and one of `original`, `text`, `thumbnail`."""

_notices = msgspec.json.Decoder(tuple[Notice, ...])


def batch_view(row: BatchRow) -> BatchView:
    return BatchView(**row._asdict())


def file_view(row: FileRow, link: Linker) -> FileView:
    return FileView(
        file_id=row.id,
        batch_id=row.batch_id,
        collection_id=row.collection_id,
        original_filename=row.original_filename,
        path=row.path,
        position=row.position,
        file_size=row.file_size,
        processing_status=row.processing_status,
        upload_progress=row.upload_progress,
        error_code=row.error_code,
        error_message=row.error_message,
        page_count=row.page_count,
        title=row.title,
        truncated=row.truncated,
        pages_read=row.pages_read,
        characters=row.characters,
        notices=_notices.decode(row.notices),
        sha256=row.sha256,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        links=Links(
            original=link(row.id, "original"),
            text=None if row.text_key is None else link(row.id, "text"),
            thumbnail=None if row.thumbnail_key is None else link(row.id, "thumbnail"),
        ),
    )


def state_view(state: BatchState, link: Linker) -> BatchView:
    """Returns the view of a batch with its files, in the batch's order, and the files in flight."""
    files = [file_view(file_row(state, file, position), link) for position, file in enumerate(state.files.values())]
    return BatchView(**batch_row(state)._asdict(), files=files, in_flight=positions(state))
