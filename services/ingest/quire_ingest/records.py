"""The objects that a request with an Idempotency-Key leaves in the object store, so that a repetition is recognized."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from quire_ingest.rejection import Rejection
from quire_schemas.events import BatchCreated, Event, Policy, event_of
from quire_schemas.ids import created_id, derived
from quire_schemas.object_keys import manifest_key
from quire_schemas.views import Accepted, CreatedBatch, CreatedFile, RejectedFile

SOURCE = "/quire/ingest"


class Manifest(Struct, frozen=True, kw_only=True):
    """A batch before it is in the log. Its event is made from this alone, so that the same event is sent each time."""

    batch_id: str
    time: datetime
    traceparent: str | None
    created: BatchCreated

    @property
    def key(self) -> str:
        return manifest_key(self.batch_id)

    def event(self) -> Event:
        return event_of(
            self.created,
            id=created_id(self.batch_id),
            batch_id=self.batch_id,
            collection_id=self.created.collection_id,
            source=SOURCE,
            time=self.time,
            traceparent=self.traceparent,
        )

    def object_keys(self) -> frozenset[str]:
        return frozenset(file.object_key for file in self.created.files)

    def says_the_same(self, other: "Manifest") -> bool:
        """Returns whether both manifests have the same files (by name, size and sha256) and the same policy."""
        return _content(self.created) == _content(other.created)

    def view(self) -> CreatedBatch:
        files = [CreatedFile(file_id=file.file_id, filename=file.filename, size=file.size) for file in self.created.files]
        return CreatedBatch(batch_id=self.batch_id, files=files)


class ReceivedFile(Struct, frozen=True, kw_only=True):
    """A file of a request, accepted or not; `size` in bytes."""

    filename: str
    size: int
    sha256: str
    rejection: Rejection | None = None


class RequestRecord(Struct, frozen=True, kw_only=True):
    """The record of a whole request, written once every batch of the request is in the log."""

    request_id: str
    collection_id: str
    policy: Policy
    parts: tuple[ReceivedFile, ...]
    batches: tuple[CreatedBatch, ...]

    def is_repeated_by(self, policy: Policy, parts: Sequence[ReceivedFile]) -> bool:
        """Returns whether a request with these parts repeats this one.

        The rules for accepting files may have changed since; the answer of this record stands.
        """
        return policy == self.policy and _identities(parts) == _identities(self.parts)

    def answer(self) -> Accepted:
        rejected = [
            RejectedFile(filename=part.filename, code=part.rejection.code, message=part.rejection.message)
            for part in self.parts
            if part.rejection is not None
        ]
        return Accepted(
            request_id=self.request_id,
            collection_id=self.collection_id,
            accepted=len(self.parts) - len(rejected),
            rejected=rejected,
            batches=list(self.batches),
        )


def request_id_of(subject: str, collection_id: str, key: str) -> str:
    """Returns the id of every request that this principal sends to this collection under this Idempotency-Key."""
    return derived("request", subject, collection_id, key)


def batch_id_of(request_id: str, number: int) -> str:
    return derived("batch", request_id, number)


def file_id_of(request_id: str, number: int) -> str:
    return derived("file", request_id, number)


def _content(created: BatchCreated) -> tuple[object, ...]:
    return (created.policy, [(file.filename, file.size, file.sha256) for file in created.files])


def _identities(parts: Iterable[ReceivedFile]) -> list[tuple[str, int, str]]:
    return [(part.filename, part.size, part.sha256) for part in parts]
