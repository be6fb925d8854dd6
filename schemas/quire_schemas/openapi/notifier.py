"""Operations of the notifier's HTTP API."""

from quire_schemas import examples
from quire_schemas.openapi import asked_for as ask
from quire_schemas.openapi import contents, shown
from quire_schemas.openapi.parts import Answer, Operation, Parameter, Service
from quire_schemas.openapi.problems import ResyncRequired
from quire_schemas.openapi.published import OPENAPI
from quire_schemas.openapi.structs import FeedPage, SnapshotAnswer, StatesPage
from quire_schemas.states import BatchState
from quire_schemas.views import BatchView, CollectionView, Config, FailureView, FileView, Page, RequestView

_ALWAYS = ask.GUARDED
_READ = ("database_unavailable",)


_TAGS = {"collections": "Collections", "requests": "Uploads", "batches": "Batches", "waiting": "Batches", "files": "Files"}


def _list(path: str, name: str, summary: str, answer: Answer, *parameters: Parameter) -> Operation:
    """Returns an operation that lists items page by page: of one collection, or of all that the token may read."""
    return Operation(
        path,
        name,
        _TAGS[path.split("/")[2]],
        summary,
        (answer,),
        (*_ALWAYS, *_READ),
        parameters=(ask.COLLECTION, *parameters, ask.CURSOR, ask.LIMIT),
    )


def _one(path: str, name: str, summary: str, answer: Answer, *parameters: Parameter) -> Operation:
    """Returns an operation that answers one item by its id. An item that the token may not read is answered as not found."""
    return Operation(
        path, name, _TAGS[path.split("/")[2]], summary, (answer,), (*_ALWAYS, *_READ, "not_found"), parameters=parameters
    )


_FEED = (ask.AFTER, ask.LIMIT, ask.EPOCH)
_FED = Answer(200, "Messages, in the order of their seq.", FeedPage, shown.FEED)
_GONE = (*_ALWAYS, *_READ, "resync_required")

SERVICE = Service(
    "notifier",
    "Quire: notifier",
    (
        "Answers where everything stands. Lists answer a page; ask for the next with its `next_cursor`. Links of files are "
        "relative to the notifier's address. Errors are problem JSON (RFC 9457). Live: `/ws`, described by the AsyncAPI document."
    ),
    8000,
    (
        Operation(
            "/api/config",
            "config",
            "Service",
            "What a client has to know first.",
            (Answer(200, "Settings that clients share.", Config, Config()),),
            ("unknown_host", "internal"),
            open=True,
        ),
        _list(
            "/api/collections",
            "collections",
            "Collections that have ever had a batch.",
            Answer(200, "A page of them.", Page[CollectionView], shown.page(shown.COLLECTION)),
        ),
        _list(
            "/api/requests",
            "requests",
            "Uploads, the newest first.",
            Answer(200, "A page of them.", Page[RequestView], shown.page(shown.REQUEST)),
            ask.STATUS,
        ),
        _one(
            "/api/requests/{request_id}",
            "request",
            "An upload: all its batches as one.",
            Answer(200, "The upload.", RequestView, shown.REQUEST),
            ask.REQUEST_ID,
        ),
        _one(
            "/api/requests/{request_id}/failures",
            "failures",
            "Why files of an upload failed, the most frequent reason first.",
            Answer(200, "All reasons.", Page[FailureView], shown.page(shown.FAILURE)),
            ask.REQUEST_ID,
        ),
        _one(
            "/api/requests/{request_id}/states",
            "states",
            "The folded states of its batches, for quire_schemas.batch; 100 at most.",
            Answer(200, "A page of them.", StatesPage, StatesPage(items=[shown.STATE], next_cursor=None)),
            ask.REQUEST_ID,
            ask.CURSOR,
            ask.LIMIT,
        ),
        _list(
            "/api/batches",
            "batches",
            "Batches, the newest first.",
            Answer(200, "A page of them.", Page[BatchView], shown.page(shown.BATCH)),
            ask.OF_REQUEST,
            ask.STATUS,
        ),
        _one(
            "/api/batches/{batch_id}",
            "batch",
            "A batch with its files, and what is in flight.",
            Answer(200, "The batch.", BatchView, shown.BATCH),
            ask.BATCH_ID,
        ),
        _one(
            "/api/batches/{batch_id}/state",
            "state",
            "The folded state of a batch, for quire_schemas.batch.",
            Answer(200, "The state.", BatchState, shown.STATE),
            ask.BATCH_ID,
        ),
        Operation(
            "/api/stuck",
            "stuck",
            "Batches",
            "Batches in work without a sign of life.",
            (Answer(200, "All of them, 1,000 at most.", Page[BatchView], shown.page(shown.BATCH)),),
            (*_ALWAYS, *_READ),
            parameters=(ask.COLLECTION, ask.OLDER_THAN),
        ),
        _list(
            "/api/waiting",
            "waiting",
            "Batches that are queued, the oldest first.",
            Answer(200, "A page of them.", Page[BatchView], shown.page(shown.BATCH)),
        ),
        _list(
            "/api/files",
            "files",
            "Files: those of the newest batch first, in the order of the upload. Or a search in names or texts.",
            Answer(200, "A page of them.", Page[FileView], shown.page(shown.FILE)),
            ask.OF_REQUEST,
            ask.OF_BATCH,
            ask.STANDING,
            ask.CODE,
            ask.Q,
            ask.NAME,
            ask.IN,
            ask.ORDER,
        ),
        _one("/api/files/{file_id}", "file", "A file.", Answer(200, "The file.", FileView, shown.FILE), ask.FILE_ID),
        Operation(
            "/api/failures",
            "all_failures",
            "Files",
            "Why files failed, the most frequent reason first, and which uploads hold them.",
            (Answer(200, "All reasons.", Page[FailureView], shown.page(shown.FAILURE)),),
            (*_ALWAYS, *_READ),
            parameters=(ask.COLLECTION,),
        ),
        *contents.OPERATIONS,
        Operation(
            "/api/feed",
            "batch_feed",
            "Feed",
            "Messages about one batch that are kept; numbered as in its collection, so with gaps.",
            (_FED,),
            (*_GONE, "not_found"),
            parameters=(ask.FOR_BATCH, *_FEED),
            refusal=ResyncRequired,
        ),
        Operation(
            "/api/collections/{collection_id}/feed",
            "feed",
            "Feed",
            "Messages of a collection after a seq. 410 where the feed does not go on there: fetch the batches again.",
            (_FED,),
            _GONE,
            parameters=(ask.COLLECTION_ID, *_FEED),
            refusal=ResyncRequired,
        ),
        Operation(
            "/api/collections/{collection_id}/events",
            "events",
            "Feed",
            "The feed as server-sent events; it goes on until the client leaves.",
            (Answer(200, "Events: `id` is epoch:seq, `data` a message.", media={"text/event-stream": {"type": "string"}}),),
            (*_ALWAYS, *_READ, "too_many_sockets"),
            parameters=(ask.COLLECTION_ID, ask.AFTER, ask.EPOCH, ask.LAST_EVENT_ID),
        ),
        Operation(
            "/api/collections/{collection_id}/snapshot",
            "snapshot",
            "Feed",
            "What a WebSocket is told at first: the active batches. The feed goes on from their seq.",
            (Answer(200, "SUBSCRIBED messages.", SnapshotAnswer, list(examples.server_messages()[:1])),),
            (*_ALWAYS, *_READ),
            parameters=(ask.COLLECTION_ID, ask.CURSOR),
        ),
        OPENAPI._replace(codes=("unknown_host", "internal")),
    ),
)
