"""WebSocket messages, JSON text frames with their name in `type` (docs/api.md, "WebSocket").

Feed messages carry `collection_id`, `seq` (contiguous from 1 within a collection and epoch), `batch_id` and `at`.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from quire_schemas.events import BatchCode, Count, Dependency, FileCode, Notice, Stage, Standing, Time
from quire_schemas.views import BatchView, CreatedFile, FilePosition


class Authenticate(Struct, frozen=True, kw_only=True, tag="AUTHENTICATE"):
    """The token of the socket, where QUIRE_AUTH is jwt: the first message, and again before it expires."""

    token: str


class Subscribe(Struct, frozen=True, kw_only=True, tag="SUBSCRIBE"):
    """Without `after`: a snapshot, then what follows. With it: every message after that seq, of `epoch` (None: the live one)."""

    collection_id: str
    after: Count | None = None
    epoch: str | None = None


class Unsubscribe(Struct, frozen=True, kw_only=True, tag="UNSUBSCRIBE"):
    """No further messages of the collection."""

    collection_id: str


class Ping(Struct, frozen=True, kw_only=True, tag="PING"):
    """A question for PONG."""


ClientMessage = Authenticate | Subscribe | Unsubscribe | Ping


class Snapshot(Struct, frozen=True, kw_only=True):
    """Active batches of the collection, the oldest first, without their files; at most 500. `total`: how many are active.
    `GET /api/collections/{id}/snapshot?cursor=` takes `next_cursor` and answers the rest; null: there is none.
    """

    batches: list[BatchView]
    total: int | UnsetType = UNSET
    next_cursor: str | None = None


class Subscribed(Struct, frozen=True, kw_only=True, tag="SUBSCRIBED"):
    """Messages follow after `seq`. `more`: these 500 batches go on in another SUBSCRIBED frame of the same seq."""

    collection_id: str
    epoch: str
    seq: int
    recovered: bool
    snapshot: Snapshot | UnsetType = UNSET
    more: bool | UnsetType = UNSET


class Unsubscribed(Struct, frozen=True, kw_only=True, tag="UNSUBSCRIBED"):
    """No message of the collection follows, until it is subscribed to again."""

    collection_id: str


class Authenticated(Struct, frozen=True, kw_only=True, tag="AUTHENTICATED"):
    """The token was accepted; `expires_at` is when the socket will be closed with 3500 unless a newer one is sent."""

    expires_at: Time | None


class Pong(Struct, frozen=True, kw_only=True, tag="PONG"):
    """The answer to PING."""


class Error(Struct, frozen=True, kw_only=True, tag="ERROR"):
    """What was wrong with a client message and what to do; `collection_id` where it was about one."""

    code: str
    message: str
    collection_id: str | UnsetType = UNSET


class FeedMessage(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every feed message begins with."""

    collection_id: str
    seq: int
    batch_id: str
    at: Time


class BatchCreatedMessage(FeedMessage, frozen=True, kw_only=True, tag="BATCH_CREATED"):
    """A batch was accepted and waits for a processor; `request_name` where its request has one."""

    files: list[CreatedFile]
    request_id: str | UnsetType = UNSET
    request_name: str | UnsetType = UNSET


class BatchStartedMessage(FeedMessage, frozen=True, kw_only=True, tag="BATCH_PROCESSING_STARTED"):
    """A run has begun; `attempt` counts over all generations, from 1."""

    attempt: int
    total: int


class BatchProgressMessage(FeedMessage, frozen=True, kw_only=True, tag="BATCH_PROCESSING_PROGRESS"):
    """`released`: the run was handed over, the batch is queued again. `waiting_for`: what the run cannot reach."""

    stage: Stage | Literal["released"]
    processed: int
    failed: int
    total: int
    in_flight: list[FilePosition]
    waiting_for: list[Dependency] | UnsetType = UNSET


class FileMessage(FeedMessage, frozen=True, kw_only=True, tag="FILES_PROCESSED"):
    """A file became settled, so long after it came into work; a later one for the same file supersedes it. `notices` say what of
    it is not in its text.
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
    """How many files ended how: total = processed + failed + cancelled."""

    processed: int
    failed: int
    cancelled: int
    total: int


class BatchCompletedMessage(Counts, frozen=True, kw_only=True, tag="BATCH_PROCESSING_COMPLETED"):
    """`duration_ms` from the first start of this generation."""

    status: Literal["completed", "completed_with_errors"]
    duration_ms: int


class BatchFailedMessage(Counts, frozen=True, kw_only=True, tag="BATCH_PROCESSING_FAILED"):
    """The batch failed as a whole; what is known of its files stands in the counts."""

    code: BatchCode
    message: str


class BatchCancelledMessage(Counts, frozen=True, kw_only=True, tag="BATCH_PROCESSING_CANCELLED"):
    """The batch was cancelled; files that had finished stay as they were."""

    reason: str | None


class BatchRetryMessage(FeedMessage, frozen=True, kw_only=True, tag="BATCH_RETRY_REQUESTED"):
    """`file_ids` are queued again; `generation` is the new one."""

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
