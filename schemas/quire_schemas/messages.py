"""WebSocket messages, JSON text frames with their name in `type` (docs/api.md, "WebSocket").

Feed messages carry `collection_id`, `seq` (contiguous from 1 within a collection and epoch), `batch_id` and `at`.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from quire_schemas.events import BatchCode, Dependency, FileCode, Stage, Standing
from quire_schemas.fields import Count, Notice, Time
from quire_schemas.views import BatchView, CreatedFile, FilePosition


class Authenticate(Struct, frozen=True, kw_only=True, tag="AUTHENTICATE"):
    """The token of the socket if QUIRE_AUTH is jwt. It is the first message; a newer token follows before this one expires."""

    token: str


class Subscribe(Struct, frozen=True, kw_only=True, tag="SUBSCRIBE"):
    """Asks for a collection's messages. Without `after`, a snapshot comes first, then the messages after it. With `after`,
    every message after that seq of `epoch` comes; null is the current epoch.
    """

    collection_id: str
    after: Count | None = None
    epoch: str | None = None


class Unsubscribe(Struct, frozen=True, kw_only=True, tag="UNSUBSCRIBE"):
    """Ends the subscription to a collection."""

    collection_id: str


class Ping(Struct, frozen=True, kw_only=True, tag="PING"):
    """Asks for a PONG."""


ClientMessage = Authenticate | Subscribe | Unsubscribe | Ping


class Snapshot(Struct, frozen=True, kw_only=True):
    """Active batches of the collection, the oldest first, without their files; at most 500. `total` is the number of active
    batches. If there are more, `GET /api/collections/{id}/snapshot?cursor=` takes `next_cursor` and answers them; else
    `next_cursor` is null.
    """

    batches: list[BatchView]
    total: int | UnsetType = UNSET
    next_cursor: str | None = None


class Subscribed(Struct, frozen=True, kw_only=True, tag="SUBSCRIBED"):
    """The subscription has begun: messages after `seq` follow. With `more`, the list of batches continues in another SUBSCRIBED
    frame with the same seq.
    """

    collection_id: str
    epoch: str
    seq: int
    recovered: bool
    snapshot: Snapshot | UnsetType = UNSET
    more: bool | UnsetType = UNSET


class Unsubscribed(Struct, frozen=True, kw_only=True, tag="UNSUBSCRIBED"):
    """The subscription has ended: no message of the collection follows until the client subscribes again."""

    collection_id: str


class Authenticated(Struct, frozen=True, kw_only=True, tag="AUTHENTICATED"):
    """The token was accepted. At `expires_at` the socket is closed with code 3500 unless a newer token is sent before."""

    expires_at: Time | None


class Pong(Struct, frozen=True, kw_only=True, tag="PONG"):
    """The answer to PING."""


class Error(Struct, frozen=True, kw_only=True, tag="ERROR"):
    """What was wrong with a client message, and what to do. It has a `collection_id` if the message was about a collection."""

    code: str
    message: str
    collection_id: str | UnsetType = UNSET


class FeedMessage(Struct, frozen=True, kw_only=True, tag_field="type"):
    """Fields that every feed message has."""

    collection_id: str
    seq: int
    batch_id: str
    at: Time


class BatchCreatedMessage(FeedMessage, frozen=True, kw_only=True, tag="BATCH_CREATED"):
    """A batch was accepted and waits for a processor. It has a `request_name` if its upload has a name."""

    files: list[CreatedFile]
    request_id: str | UnsetType = UNSET
    request_name: str | UnsetType = UNSET


class BatchStartedMessage(FeedMessage, frozen=True, kw_only=True, tag="BATCH_PROCESSING_STARTED"):
    """A run has begun; `attempt` counts over all generations, from 1."""

    attempt: int
    total: int


class BatchProgressMessage(FeedMessage, frozen=True, kw_only=True, tag="BATCH_PROCESSING_PROGRESS"):
    """Progress of a run. With stage `released`, the run was handed over and the batch is queued again. `waiting_for` names
    the services that the run cannot reach.
    """

    stage: Stage | Literal["released"]
    processed: int
    failed: int
    total: int
    in_flight: list[FilePosition]
    waiting_for: list[Dependency] | UnsetType = UNSET


class FileMessage(FeedMessage, frozen=True, kw_only=True, tag="FILES_PROCESSED"):
    """A file was settled, `duration_ms` after work on it began. A later message about the same file supersedes this one.
    `notices` tell what of the file is not in its text.
    """

    file_id: str
    filename: str
    status: Standing
    page_count: int | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    pages_read: int | UnsetType = UNSET
    characters: int | UnsetType = UNSET
    notices: tuple[Notice, ...] | UnsetType = UNSET
    duration_ms: int | UnsetType = UNSET
    error_code: FileCode | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class Counts(FeedMessage, frozen=True, kw_only=True):
    """Numbers of files by outcome: total = processed + failed + cancelled."""

    processed: int
    failed: int
    cancelled: int
    total: int


class BatchCompletedMessage(Counts, frozen=True, kw_only=True, tag="BATCH_PROCESSING_COMPLETED"):
    """The batch ended, and at least one file is processed. `duration_ms` counts from the first start of this generation."""

    status: Literal["completed", "completed_with_errors"]
    duration_ms: int


class BatchFailedMessage(Counts, frozen=True, kw_only=True, tag="BATCH_PROCESSING_FAILED"):
    """The batch failed as a whole; the counts tell how its files ended."""

    code: BatchCode
    message: str


class BatchCancelledMessage(Counts, frozen=True, kw_only=True, tag="BATCH_PROCESSING_CANCELLED"):
    """The batch was cancelled; files that had finished stay as they were."""

    reason: str | None


class BatchRetryMessage(FeedMessage, frozen=True, kw_only=True, tag="BATCH_RETRY_REQUESTED"):
    """The files `file_ids` are queued again, in a new `generation` of the batch."""

    file_ids: list[str]
    generation: int


AnyFeedMessage = (
    BatchCreatedMessage
    | BatchStartedMessage
    | BatchProgressMessage
    | FileMessage
    | BatchCompletedMessage
    | BatchFailedMessage
    | BatchCancelledMessage
    | BatchRetryMessage
)
ServerMessage = Subscribed | Unsubscribed | Authenticated | Pong | Error | AnyFeedMessage

decode_client_message = msgspec.json.Decoder(ClientMessage).decode
decode_server_message = msgspec.json.Decoder(ServerMessage).decode
encode_message = msgspec.json.Encoder().encode
