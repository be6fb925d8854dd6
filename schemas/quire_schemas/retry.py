"""What a retry carries: the whole description of the batch, in a record of at most 64 KiB (DESIGN §2)."""

import msgspec
from msgspec import structs

from quire_schemas.batch import BatchState, FileState
from quire_schemas.cloudevents import MAX_RECORD_BYTES
from quire_schemas.events import BatchRetryRequested, CarriedFile, FileSpec

# Bytes of a carried file and its mention in `file_ids`, beside its name and object key, titles and messages left out:
# a test fills every field.
_CARRIED_BYTES = 540
_RECORD_BYTES = 1_000  # bytes of the record beside its files
_CARRIED_FIELDS = CarriedFile.__struct_fields__


def retry_requested(
    state: BatchState, *, force: bool = False, file_ids: tuple[str, ...] | None = None, by: str | None = None
) -> BatchRetryRequested:
    """The retry of the batch as it stands. Titles and messages are left out where the record would be too large."""
    whole = BatchRetryRequested(
        generation=state.generation,
        force=force,
        file_ids=file_ids,
        by=by,
        collection_id=state.collection_id,
        request_id=state.request_id,
        policy=state.policy,
        attempt=state.attempt,
        created_at=state.created_at,
        files=tuple(_carried(file) for file in state.files.values()),
    )
    if len(msgspec.json.encode(whole)) <= MAX_RECORD_BYTES:
        return whole
    return structs.replace(whole, files=tuple(structs.replace(file, title=None, message=None) for file in whole.files))


def record_bytes(file: FileSpec) -> int:
    """What the file takes at most in any record that names all files of its batch."""
    return _CARRIED_BYTES + len(msgspec.json.encode(file.filename)) + len(msgspec.json.encode(file.object_key))


def fits(taken: int, file: FileSpec) -> bool:
    """Whether a batch whose files' `record_bytes` add up to `taken` has room for one more file."""
    return _RECORD_BYTES + taken + record_bytes(file) <= MAX_RECORD_BYTES


def _carried(file: FileState) -> CarriedFile:
    return CarriedFile(**{name: getattr(file, name) for name in _CARRIED_FIELDS})
