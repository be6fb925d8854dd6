"""The layout of the bucket: every key that Quire gives an object. Events name originals and artefacts by their whole keys.

    originals/{upload_id}/{number}.pdf               an uploaded file; each request has a new `upload_id`, even a repeated one
    artefacts/{batch_id}/{run_id}/{position}.json    the text of a file; its thumbnail has the same name with .jpg
    manifests/{batch_id}.json                        a batch of a request with an Idempotency-Key, before it is in the log
    requests/{request_id}.json                       the answer to such a request

`number` counts the files of a request from 0, `position` the files of a batch. They keep keys short, and so the record of a
retry. The key of an artefact contains the run's id, so that no run can overwrite the artefacts of another.
"""

ORIGINALS, ARTEFACTS, MANIFESTS, REQUESTS = "originals/", "artefacts/", "manifests/", "requests/"


def upload_prefix(upload_id: str) -> str:
    return f"{ORIGINALS}{upload_id}/"


def original_key(upload_id: str, number: int) -> str:
    return f"{upload_prefix(upload_id)}{number}.pdf"


def run_prefix(batch_id: str, run_id: str) -> str:
    return f"{ARTEFACTS}{batch_id}/{run_id}/"


def text_key(batch_id: str, run_id: str, position: int) -> str:
    return f"{run_prefix(batch_id, run_id)}{position}.json"


def thumbnail_key(batch_id: str, run_id: str, position: int) -> str:
    return f"{run_prefix(batch_id, run_id)}{position}.jpg"


def batch_of_artefact(key: str) -> str:
    return key.removeprefix(ARTEFACTS).partition("/")[0]


def manifest_key(batch_id: str) -> str:
    return f"{MANIFESTS}{batch_id}.json"


def batch_of_manifest(key: str) -> str:
    return key.removeprefix(MANIFESTS).removesuffix(".json")


def record_key(request_id: str) -> str:
    return f"{REQUESTS}{request_id}.json"
