"""The object store's answers as exceptions. Either the answer is a plain one, or the store is away, or it refuses and the
message has the cure.

ObjectMissing, AlreadyThere and RangeOutside are plain answers. After StorageUnavailable a retry may help, except after its
subclass StorageRefuses. Errors of the local disk are not translated.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, PartialCredentialsError

from quire_runtime.errors import CannotServe

RANGE_NOT_SATISFIABLE = 416
NOT_IMPLEMENTED = 501
MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
_THERE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "Forbidden", "403"})
_BUSY = frozenset(
    {"OperationAborted", "RequestTimeout", "SlowDown", "ThrottlingException", "Throttling", "TooManyRequests", "408", "429"}
)
"""Codes of a busy store: refusals by HTTP status, but they pass by themselves."""
_ASKING = frozenset({"GetObject", "HeadBucket"})
"""Operations to which "missing" is an answer; to others it is a refusal."""

_KEYS = "Correct QUIRE_S3_ACCESS_KEY and QUIRE_S3_SECRET_KEY"
_RENEW = "Renew the credentials"
_PLACE = "Correct QUIRE_S3_REGION or QUIRE_S3_ENDPOINT"
_CURES = {
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "ExpiredToken": _RENEW,
    "InvalidToken": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "RequestTimeTooSkewed": "Set the clock of this machine, or of the store",
    "AuthorizationHeaderMalformed": _PLACE,
    "IllegalLocationConstraintException": _PLACE,
    "PermanentRedirect": _PLACE,
    "301": _PLACE,
    "NoSuchBucket": "Make the bucket with the command `prepare`, or correct QUIRE_S3_BUCKET",
    "NotImplemented": "Use a store that can do this",
}
_LIST = "s3:ListBucket on the bucket"
_ACTIONS = {
    "PutObject": "s3:PutObject on it",
    "CreateMultipartUpload": "s3:PutObject on it",
    "UploadPart": "s3:PutObject on it",
    "CompleteMultipartUpload": "s3:PutObject on it",
    "AbortMultipartUpload": "s3:AbortMultipartUpload on it",
    "GetObject": f"s3:GetObject on it, and {_LIST}",
    "DeleteObjects": "s3:DeleteObject on it",
    "ListObjectsV2": _LIST,
    "HeadBucket": _LIST,
    "CreateBucket": "s3:CreateBucket; or make the bucket beforehand",
}


class StorageUnavailable(Exception):
    """The object store does not answer, or refuses. Wait and try again; if it stays, look at the store and at QUIRE_S3_…."""


class StorageRefuses(StorageUnavailable, CannotServe):
    """The object store answers, but does not do what we need, and waiting does not help. Grant the right, or correct the setting,
    that the message names.
    """

    def __init__(self, what: str, operation: str, code: str, message: str) -> None:
        self.denied = code in _DENIED
        """Whether a permission is missing."""
        cure = (
            f"Grant {_ACTIONS.get(operation, operation)}"
            if self.denied
            else _CURES.get(code, "Look at QUIRE_S3_…, and at the store")
        )
        super().__init__(f"the object store refuses {operation} of {what}: {message.rstrip('. ') or code} ({code}). {cure}")


class BucketMissing(StorageUnavailable):
    """The bucket is not there yet. Make it with the command `prepare`, or set QUIRE_PREPARE=true."""


class ObjectMissing(Exception):
    """There is no object under this key."""


class AlreadyThere(Exception):
    """There is already an object under this key, and only the first one was to be kept."""


class RangeOutside(Exception):
    """The object has no byte in the range asked for."""


def is_away(error: BaseException) -> bool:
    """Returns whether the same request may succeed later without a change."""
    return isinstance(error, StorageUnavailable) and not isinstance(error, StorageRefuses)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raises the store's errors as ours. `what` is the key, or whatever else the request was about."""
    try:
        yield
    except ClientError as error:
        raise _of(error, what) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StorageRefuses(what, "requests", "InvalidAccessKeyId", str(error)) from error
    except (BotoCoreError, HTTPClientError, aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
        raise StorageUnavailable(f"{what}: {error or type(error).__name__}") from error


def failure(what: str, operation: str, code: str, message: str) -> StorageUnavailable:
    """Returns the error of one object in a request about many."""
    if code in _DENIED:
        return StorageRefuses(what, operation, code, message)
    return StorageUnavailable(f"{what}: {code} {message}")


def _of(error: ClientError, what: str) -> Exception:
    answer = error.response.get("Error", {})
    code, message = answer.get("Code", ""), answer.get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in MISSING and error.operation_name in _ASKING:
        return ObjectMissing(what)
    if status == RANGE_NOT_SATISFIABLE:
        return RangeOutside(what)
    if code in _THERE or (status in {409, 412} and code not in _BUSY):
        return AlreadyThere(what)
    if code not in _BUSY and (300 <= status < 500 or status == NOT_IMPLEMENTED):
        return StorageRefuses(what, error.operation_name, code, message)
    return StorageUnavailable(f"{what}: {error}")
