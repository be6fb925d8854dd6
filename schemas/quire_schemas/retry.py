"""Makes the event of a retry: it carries the whole description of the batch, in a record of at most 64 KiB (docs/design.md,
"The log").
"""

from typing import Any

import msgspec
from msgspec import structs

from quire_schemas.cloudevents import MAX_RECORD_BYTES
from quire_schemas.events import BatchRetryRequested, CarriedFile, FileSpec
from quire_schemas.states import BatchState, FileState, carried

# _CARRIED_BYTES: bytes of a carried file and of its id in `file_ids`, without its name, path and object key, with artefact keys
# of at most 91 bytes. _RECORD_BYTES: bytes of a record without its files. Neither counts the fields that are left out of a
# large record (_SPARED, _SPARED_OF_FILES). A test fills every field.
_CARRIED_BYTES = 540
_RECORD_BYTES = 400
_SPARED: dict[str, Any] = {"by": None, "request_name": None}
_SPARED_OF_FILES: dict[str, Any] = {
    "title": None,
    "message": None,
    "pages_read": None,
    "characters": None,
    "notices": (),
    "started_at": None,
    "duration_ms": None,
}
_CARRIED_FIELDS = CarriedFile.__struct_fields__


def retry_requested(
    state: BatchState, *, force: bool = False, file_ids: tuple[str, ...] | None = None, by: str | None = None
) -> BatchRetryRequested:
    """Returns the retry of the batch in its present state. Ids in `file_ids` that are no files of the batch are left out.

    If the record would be too large, the fields in `_SPARED` and `_SPARED_OF_FILES` are left out: no decision depends on them.
    """
    whole = BatchRetryRequested(
        force=force,
        file_ids=None if file_ids is None else tuple(file_id for file_id in state.files if file_id in file_ids),
        by=by,
        files=tuple(_carried(file) for file in state.files.values()),
        **carried(state),
    )
    if len(msgspec.json.encode(whole)) <= MAX_RECORD_BYTES:
        return whole
    bare = tuple(structs.replace(file, **_SPARED_OF_FILES) for file in whole.files)
    return structs.replace(whole, files=bare, **_SPARED)


def record_bytes(file: FileSpec) -> int:
    """Returns how many bytes the file takes at most in any record that names all files of its batch."""
    path = b"" if file.path is None else b',"path":' + msgspec.json.encode(file.path)
    return _CARRIED_BYTES + len(msgspec.json.encode(file.filename)) + len(msgspec.json.encode(file.object_key)) + len(path)


def fits(taken: int, file: FileSpec) -> bool:
    """Returns whether a batch whose files' `record_bytes` add up to `taken` has room for one more file."""
    return _RECORD_BYTES + taken + record_bytes(file) <= MAX_RECORD_BYTES


def _carried(file: FileState) -> CarriedFile:
    return CarriedFile(**{name: getattr(file, name) for name in _CARRIED_FIELDS})
