"""Parameters of the notifier's API, and the problem codes of every operation that needs a token."""

from typing import Annotated, Literal

from msgspec import Meta

from quire_schemas.events import FileCode, Standing, Status
from quire_schemas.fields import CollectionId, Id
from quire_schemas.openapi.parts import Parameter

GUARDED = ("unauthenticated", "forbidden", "unknown_host", "internal", "auth_unavailable")
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]

BATCH_ID = Parameter("batch_id", Id, "The UUID of the batch.", "path", required=True, refused=False)
FILE_ID = Parameter("file_id", Id, "The UUID of the file.", "path", required=True, refused=False)
REQUEST_ID = Parameter(
    "request_id", Id, "The UUID of the upload, as the answer to it names it.", "path", required=True, refused=False
)
COLLECTION_ID = Parameter("collection_id", CollectionId, "The name of the collection.", "path", required=True, example="default")

COLLECTION = Parameter(
    "collection_id", CollectionId, "Only this collection. If left out: all collections that the token may read."
)
OF_REQUEST = Parameter("request_id", Id, "Only batches and files of this upload.")
OF_BATCH = Parameter("batch_id", Id, "Only files of this batch.")
FOR_BATCH = Parameter("batch_id", Id, "The UUID of the batch.", required=True)
CURSOR = Parameter("cursor", str, "The `next_cursor` of the previous page. If left out: the first page.")
LIMIT = Parameter("limit", Annotated[int, Meta(ge=1, le=500)], "Items in a page, at most. If left out: 50.")
STATUS = Parameter("status", list[Status], "Only this status. For several, repeat the parameter or separate them by commas.")
STANDING = Parameter("status", list[Standing], "Only this status. For several, repeat the parameter or separate them by commas.")
CODE = Parameter(
    "code", list[FileCode], "Only files that failed with this code. For several, repeat the parameter or separate them by commas."
)
Q = Parameter(
    "q",
    Annotated[str, Meta(max_length=500)],
    "Only files whose name contains this, in any case. With `in=text`: whose text has these words.",
)
NAME = Parameter(
    "name", Annotated[str, Meta(max_length=255)], "Only files whose name contains this; `q` without `in` does the same."
)
IN = Parameter("in", Literal["name", "text"], "Where to search for `q`. If left out: `name`.")
ORDER = Parameter(
    "order",
    Literal["newest", "upload"],
    "`upload`: the order of the upload, which needs `request_id` or `batch_id`. If left out: the newest batch first.",
)
OLDER_THAN = Parameter("older_than", Annotated[float, Meta(ge=0, le=1e9)], "Seconds without a sign of life. If left out: 60.")
AFTER = Parameter("after", Seq, "Only messages whose `seq` is greater. If left out: from the beginning.")
EPOCH = Parameter("epoch", str, "The epoch that `after` belongs to, as a message or a page names it.", refused=False)
LAST_EVENT_ID = Parameter(
    "Last-Event-ID", str, "The id of the last event that arrived. An EventSource sends it by itself when it reconnects.", "header"
)
EXPIRES = Parameter(
    "expires", str, "The end of the link's validity, in seconds since 1970. Part of a signed link.", refused=False
)
SIGNATURE = Parameter("signature", str, "The signature of a signed link. Such a link needs no token.", refused=False)
