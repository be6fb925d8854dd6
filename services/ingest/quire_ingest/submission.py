"""Handles one upload, from its first byte to its answer (docs/design.md, "Upload")."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple
from uuid import uuid4

from quire_ingest import metrics
from quire_ingest.answers import all_rejected, away, conflict, disk_full, internal, no_files, with_batches
from quire_ingest.body import ClientLeft, FileStarts
from quire_ingest.claims import Claims
from quire_ingest.finishing import finishing
from quire_ingest.gathering import Gatherer
from quire_ingest.launch import Launch
from quire_ingest.receiver import Received, Receiver
from quire_ingest.records import Manifest, ReceivedFile, RequestRecord, batch_id_of, file_id_of
from quire_ingest.uploads import Uploads, UploadTerms, uploading
from quire_runtime.clock import Clock
from quire_runtime.http import Problem
from quire_runtime.logs import get_logger
from quire_runtime.publisher import Publisher
from quire_runtime.storage import ObjectStore, StorageUnavailable
from quire_schemas.events import BatchCreated, FileSpec, Policy
from quire_schemas.object_keys import original_key, upload_prefix
from quire_schemas.views import Accepted

log = get_logger(__name__)

CLEAN_UP_SECONDS = 10.0
Events = AsyncIterator[FileStarts | bytes | None]


class Ask(NamedTuple):
    """The request of an upload, without its files.

    `keyed` says that an Idempotency-Key was given; `request_id` then derives from it. `left` tells whether the client has
    closed the connection. Where `name` is None, the upload is named after its first file, or the folder of that file.
    """

    request_id: str
    collection_id: str
    policy: Policy
    name: str | None
    keyed: bool
    traceparent: str | None
    left: Callable[[], Awaitable[bool]]


class UploadParts(NamedTuple):
    """The services and settings that every submission needs."""

    store: ObjectStore
    publisher: Publisher
    clock: Clock
    terms: UploadTerms
    batch_size: int
    max_file_bytes: int


class Submission:
    """One upload. To be used once: `await Submission(parts, ask).take(events)`."""

    def __init__(self, parts: UploadParts, ask: Ask) -> None:
        self._parts = parts
        self._ask = ask
        self._claims = Claims(parts.store, parts.terms.patience)
        self._launch = Launch(parts.publisher, self._claims)
        self._gatherer = Gatherer(parts.batch_size)
        self._upload_id = str(uuid4())
        self._uploads: Uploads | None = None
        self._received: list[ReceivedFile] = []
        self._stored: dict[str, asyncio.Task[None]] = {}
        self._manifests: list[Manifest] = []
        self._name = ask.name

    async def take(self, events: Events) -> Accepted:
        """Receives the files and returns the body of a 202: then every batch is in the log.

        Raises Problem for every other answer, and ClientLeft.
        """
        try:
            record = await self._known(events) or await self._fresh(events)
        except StorageUnavailable as error:
            raise self._told(away(error)) from error
        except OSError as error:
            raise self._told(disk_full(error)) from error
        except Problem as problem:
            raise self._told(problem) from None
        except ClientLeft:
            raise
        except Exception:
            log.exception("upload broke", request_id=self._ask.request_id)
            raise self._told(internal()) from None
        finally:
            await self._clean_up()
        if not record.batches:
            raise all_rejected(record)
        return record.answer()

    async def _known(self, events: Events) -> RequestRecord | None:
        """Returns the record of this request if it was answered before, else None.

        The files are then compared with the record, and not stored again. Raises Problem where they differ.
        """
        record = await self._claims.known_record(self._ask.request_id) if self._ask.keyed else None
        if record is None:
            return None
        async with aclosing(self._files(events, None)) as files:
            async for _ in files:
                pass
        return self._compared(record)

    async def _fresh(self, events: Events) -> RequestRecord:
        async with (
            finishing() as launching,
            uploading(self._parts.store, self._parts.terms) as self._uploads,
            aclosing(self._files(events, self._uploads)) as files,
        ):
            async for file in files:
                self._gather(file, launching)
                self._check()
        self._check()
        last = self._manifest(self._gatherer.rest())
        if self._ask.keyed:
            record = await self._claims.known_record(self._ask.request_id)
            if record is not None:  # the same request came twice at once, and the other one was first
                return self._compared(record)
            if last is not None:
                await self._launch.when_stored(last, ())
        elif await self._ask.left():  # the client may send again, and without a key every file would be there twice
            raise ClientLeft
        else:
            await self._launch.all(self._manifests)
        self._check()
        return await self._recorded()

    async def _files(self, events: Events, uploads: Uploads | None) -> AsyncGenerator[Received, None]:
        receiver: Receiver | None = None
        try:
            async for event in events:
                if isinstance(event, FileStarts):
                    key = original_key(self._upload_id, len(self._received))
                    receiver = Receiver(event.name, key, self._parts.max_file_bytes, uploads)
                    nameless = not event.name
                elif receiver is not None and event is not None:
                    await receiver.write(event)
                elif receiver is not None:
                    file, receiver = await receiver.end(), None
                    if not (nameless and file.size == 0):  # what a browser sends for a form field left empty
                        self._received.append(_part_of(file))
                        metrics.FILES.labels("accepted" if file.rejection is None else file.rejection.code).inc()
                        yield file
        except Exception:
            if receiver is not None:
                await receiver.abandon()
            raise
        if not self._received:
            raise no_files()

    def _gather(self, file: Received, launching: asyncio.TaskGroup) -> None:
        if file.stored is None:
            return
        number = len(self._received) - 1
        self._stored[file.key] = file.stored
        spec = FileSpec(
            file_id=file_id_of(self._ask.request_id, number),
            filename=file.filename,
            size=file.size,
            sha256=file.sha256,
            object_key=file.key,
            path=file.path,
        )
        manifest = self._manifest(self._gatherer.add(spec))
        if manifest is not None and self._ask.keyed:
            files = [self._stored.pop(spec.object_key) for spec in manifest.created.files]
            launching.create_task(self._launch.when_stored(manifest, files))

    def _manifest(self, files: tuple[FileSpec, ...]) -> Manifest | None:
        if not files:
            return None
        ask = self._ask
        self._name = self._name or _name_of(files[0])
        manifest = Manifest(
            batch_id=batch_id_of(ask.request_id, len(self._manifests)),
            time=self._parts.clock.now(),
            traceparent=ask.traceparent,
            created=BatchCreated(
                collection_id=ask.collection_id,
                request_id=ask.request_id,
                policy=ask.policy,
                files=files,
                request_name=self._name,
            ),
        )
        self._manifests.append(manifest)
        return manifest

    async def _recorded(self) -> RequestRecord:
        mine = RequestRecord(
            request_id=self._ask.request_id,
            collection_id=self._ask.collection_id,
            policy=self._ask.policy,
            parts=tuple(self._received),
            batches=tuple(manifest.view() for manifest in self._launch.acknowledged),
        )
        return self._compared(await self._claims.record(mine)) if self._ask.keyed else mine

    def _compared(self, record: RequestRecord) -> RequestRecord:
        if record.is_repeated_by(self._ask.policy, self._received):
            return record
        raise conflict()

    def _check(self) -> None:
        if self._launch.failure is not None:
            raise self._launch.failure

    def _told(self, problem: Problem) -> Problem:
        return with_batches(problem, self._ask.request_id, self._launch.acknowledged, self._launch.unknown)

    async def _clean_up(self) -> None:
        """Deletes the objects that this request has stored and no event names. A failure does not change the answer."""
        keys = [key for key in self._uploads.keys if key not in self._launch.named] if self._uploads is not None else []
        if not keys:
            return
        try:
            async with asyncio.timeout(CLEAN_UP_SECONDS):
                await self._claims.delete(keys)
        except (StorageUnavailable, TimeoutError) as error:
            metrics.LEFT_BEHIND.inc(len(keys))
            log.warning(
                "objects of a request without effect stay until a sweep", prefix=upload_prefix(self._upload_id), error=str(error)
            )


def _name_of(file: FileSpec) -> str:
    """Returns the name of a request whose first file this is: that of its outermost folder, else its filename."""
    return file.path.partition("/")[0] if file.path else file.filename


def _part_of(file: Received) -> ReceivedFile:
    return ReceivedFile(filename=file.filename, size=file.size, sha256=file.sha256, rejection=file.rejection)
