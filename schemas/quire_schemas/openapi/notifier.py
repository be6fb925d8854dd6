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
_FED = Answer(200, "A page of messages, in the order of `seq`.", FeedPage, shown.FEED)
_GONE = (*_ALWAYS, *_READ, "resync_required")

SERVICE = Service(
    "notifier",
    "Quire: notifier",
    (
        "Tells the state of uploads, batches and files. Lists come in pages: `next_cursor` of a page leads to the next. Links "
        "are relative to the notifier's address. Errors are problem JSON (RFC 9457). `/ws` pushes changes as they happen; the "
        "AsyncAPI document describes it."
    ),
    8000,
    (
        Operation(
            "/api/config",
            "config",
            "Service",
            "Settings that a client needs before anything else.",
            (Answer(200, "The settings.", Config, Config()),),
            ("unknown_host", "internal"),
            open=True,
        ),
        _list(
            "/api/collections",
            "collections",
            "Lists the collections that have ever had a batch, with counts of their files.",
            Answer(200, "A page of collections, sorted by name.", Page[CollectionView], shown.page(shown.COLLECTION)),
        ),
        _list(
            "/api/requests",
            "requests",
            "Lists uploads, the newest first.",
            Answer(200, "A page of uploads.", Page[RequestView], shown.page(shown.REQUEST)),
            ask.STATUS,
        ),
        _one(
            "/api/requests/{request_id}",
            "request",
            "Tells the state of an upload, that of all its batches as one.",
            Answer(200, "The upload.", RequestView, shown.REQUEST),
            ask.REQUEST_ID,
        ),
        _one(
            "/api/requests/{request_id}/failures",
            "failures",
            "Counts the failed files of an upload by code, the most frequent code first.",
            Answer(200, "All codes that occur.", Page[FailureView], shown.page(shown.FAILURE)),
            ask.REQUEST_ID,
        ),
        _one(
            "/api/requests/{request_id}/states",
            "states",
            "Lists the folded states of an upload's batches, 100 in a page at most. Python decodes them with `quire_schemas`.",
            Answer(
                200,
                "A page of states, in the order of the upload.",
                StatesPage,
                StatesPage(items=[shown.STATE], next_cursor=None),
            ),
            ask.REQUEST_ID,
            ask.CURSOR,
            ask.LIMIT,
        ),
        _list(
            "/api/batches",
            "batches",
            "Lists batches, the newest first.",
            Answer(200, "A page of batches.", Page[BatchView], shown.page(shown.BATCH)),
            ask.OF_REQUEST,
            ask.STATUS,
        ),
        _one(
            "/api/batches/{batch_id}",
            "batch",
            "Tells the state of a batch, with its files, and with those that are being worked on now.",
            Answer(200, "The batch.", BatchView, shown.BATCH),
            ask.BATCH_ID,
        ),
        _one(
            "/api/batches/{batch_id}/state",
            "state",
            "Tells the folded state of a batch. Python decodes it with `quire_schemas`.",
            Answer(200, "The state.", BatchState, shown.STATE),
            ask.BATCH_ID,
        ),
        Operation(
            "/api/stuck",
            "stuck",
            "Batches",
            "Lists batches that are processing and have given no sign of life for a while.",
            (Answer(200, "The batches, at most 1,000, the longest silent first.", Page[BatchView], shown.page(shown.BATCH)),),
            (*_ALWAYS, *_READ),
            parameters=(ask.COLLECTION, ask.OLDER_THAN),
        ),
        _list(
            "/api/waiting",
            "waiting",
            "Lists batches that are queued, the oldest first.",
            Answer(200, "A page of batches.", Page[BatchView], shown.page(shown.BATCH)),
        ),
        _list(
            "/api/files",
            "files",
            "Lists files, or searches names or texts. Files of the newest batch come first, in the order of the upload.",
            Answer(200, "A page of files.", Page[FileView], shown.page(shown.FILE)),
            ask.OF_REQUEST,
            ask.OF_BATCH,
            ask.STANDING,
            ask.CODE,
            ask.Q,
            ask.NAME,
            ask.IN,
            ask.ORDER,
        ),
        _one(
            "/api/files/{file_id}",
            "file",
            "Tells the state of a file.",
            Answer(200, "The file.", FileView, shown.FILE),
            ask.FILE_ID,
        ),
        Operation(
            "/api/failures",
            "all_failures",
            "Files",
            "Counts failed files by code, the most frequent code first, and names the uploads that hold them.",
            (Answer(200, "All codes that occur.", Page[FailureView], shown.page(shown.FAILURE)),),
            (*_ALWAYS, *_READ),
            parameters=(ask.COLLECTION,),
        ),
        *contents.OPERATIONS,
        Operation(
            "/api/feed",
            "batch_feed",
            "Feed",
            "Lists the messages about one batch that are still kept. `seq` counts the collection's messages, so it has gaps.",
            (_FED,),
            (*_GONE, "not_found"),
            parameters=(ask.FOR_BATCH, *_FEED),
            refusal=ResyncRequired,
        ),
        Operation(
            "/api/collections/{collection_id}/feed",
            "feed",
            "Feed",
            "Lists messages of a collection after a `seq`. A 410 means that it does not go on there: fetch the batches again.",
            (_FED,),
            _GONE,
            parameters=(ask.COLLECTION_ID, *_FEED),
            refusal=ResyncRequired,
        ),
        Operation(
            "/api/collections/{collection_id}/events",
            "events",
            "Feed",
            "Streams the feed as server-sent events, until the client leaves.",
            (
                Answer(
                    200,
                    "Each event has a message in `data`, and `epoch:seq` in `id`.",
                    media={"text/event-stream": {"type": "string"}},
                ),
            ),
            (*_ALWAYS, *_READ, "too_many_sockets"),
            parameters=(ask.COLLECTION_ID, ask.AFTER, ask.EPOCH, ask.LAST_EVENT_ID),
        ),
        Operation(
            "/api/collections/{collection_id}/snapshot",
            "snapshot",
            "Feed",
            "Lists the active batches, as a WebSocket gets them after SUBSCRIBE. The feed goes on after their `seq`.",
            (Answer(200, "One SUBSCRIBED message or several.", SnapshotAnswer, list(examples.server_messages()[:1])),),
            (*_ALWAYS, *_READ),
            parameters=(ask.COLLECTION_ID, ask.CURSOR),
        ),
        OPENAPI._replace(codes=("unknown_host", "internal")),
    ),
)
