"""Parameters of the notifier's API, and the problem codes of every operation that needs a token."""

from typing import Annotated, Literal

from msgspec import Meta

from quire_schemas.events import FileCode, Standing, Status
from quire_schemas.fields import CollectionId, Id
from quire_schemas.openapi.parts import Parameter

GUARDED = ("unauthenticated", "forbidden", "unknown_host", "internal", "auth_unavailable")
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]

BATCH_ID = Parameter("batch_id", Id, "A UUID.", "path", required=True, refused=False)
FILE_ID = Parameter("file_id", Id, "A UUID.", "path", required=True, refused=False)
REQUEST_ID = Parameter("request_id", Id, "A UUID: that of the upload.", "path", required=True, refused=False)
COLLECTION_ID = Parameter("collection_id", CollectionId, "The collection.", "path", required=True, example="default")

COLLECTION = Parameter("collection_id", CollectionId, "One collection; else all that may be read.")
OF_REQUEST = Parameter("request_id", Id, "Those of one upload.")
OF_BATCH = Parameter("batch_id", Id, "Those of one batch.")
FOR_BATCH = Parameter("batch_id", Id, "The batch.", required=True)
CURSOR = Parameter("cursor", str, "The next_cursor of the page before.")
LIMIT = Parameter("limit", Annotated[int, Meta(ge=1, le=500)], "Items of a page at most; 50 where it is left out.")
STATUS = Parameter("status", list[Status], "Once or several times, or with commas.")
STANDING = Parameter("status", list[Standing], "Once or several times, or with commas.")
CODE = Parameter("code", list[FileCode], "Why they failed: once or several times, or with commas.")
Q = Parameter("q", Annotated[str, Meta(max_length=500)], "A part of the filename in any case; with `in=text`, words of the text.")
NAME = Parameter("name", Annotated[str, Meta(max_length=255)], "As `q`, in filenames.")
IN = Parameter("in", Literal["name", "text"], "Where `q` is looked for.")
ORDER = Parameter("order", Literal["newest", "upload"], "`upload`: in the order of one upload or batch; else the newest first.")
OLDER_THAN = Parameter("older_than", Annotated[float, Meta(ge=0, le=1e9)], "Seconds; 60 where it is left out.")
AFTER = Parameter("after", Seq, "The seq after which to go on; from the begin where it is left out.")
EPOCH = Parameter("epoch", str, "The epoch that `after` belongs to.", refused=False)
LAST_EVENT_ID = Parameter("Last-Event-ID", str, "The id of the last event; an EventSource sends it by itself.", "header")
EXPIRES = Parameter("expires", str, "Of a signed link.", refused=False)
SIGNATURE = Parameter("signature", str, "Of a signed link, which needs no token.", refused=False)
