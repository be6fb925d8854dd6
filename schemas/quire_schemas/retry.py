"""What a retry carries: the whole description of the batch, in a record of at most 64 KiB (docs/design.md, "The log")."""

from typing import Any

import msgspec
from msgspec import structs

from quire_schemas.batch import BatchState, FileState
from quire_schemas.cloudevents import MAX_RECORD_BYTES
from quire_schemas.events import BatchRetryRequested, CarriedFile, FileSpec

# Bytes of a carried file and its mention in `file_ids`, beside its name, path and object key, with artefact keys of at most
# 91 bytes; bytes of a record beside its files. Without what `_SPARED` names and the requester: a test fills every other field.
_CARRIED_BYTES = 540
_RECORD_BYTES = 400
_SPARED: dict[str, Any] = {
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
    """The retry of the batch as it stands; ids in `file_ids` that are none of its files' are left out.

    So is what `_SPARED` names, the requester, and the request's name, where the record would be too large: no decision rests on
    them.
    """
    whole = BatchRetryRequested(
        generation=state.generation,
        force=force,
        file_ids=None if file_ids is None else tuple(file_id for file_id in state.files if file_id in file_ids),
        by=by,
        collection_id=state.collection_id,
        request_id=state.request_id,
        policy=state.policy,
        attempt=state.attempt,
        created_at=state.created_at,
        request_name=state.request_name,
        files=tuple(_carried(file) for file in state.files.values()),
    )
    if len(msgspec.json.encode(whole)) <= MAX_RECORD_BYTES:
        return whole
    bare = tuple(structs.replace(file, **_SPARED) for file in whole.files)
    return structs.replace(whole, by=None, request_name=None, files=bare)


def record_bytes(file: FileSpec) -> int:
    """What the file takes at most in any record that names all files of its batch."""
    path = b"" if file.path is None else b',"path":' + msgspec.json.encode(file.path)
    return _CARRIED_BYTES + len(msgspec.json.encode(file.filename)) + len(msgspec.json.encode(file.object_key)) + len(path)


def fits(taken: int, file: FileSpec) -> bool:
    """Whether a batch whose files' `record_bytes` add up to `taken` has room for one more file."""
    return _RECORD_BYTES + taken + record_bytes(file) <= MAX_RECORD_BYTES


def _carried(file: FileState) -> CarriedFile:
    return CarriedFile(**{name: getattr(file, name) for name in _CARRIED_FIELDS})
