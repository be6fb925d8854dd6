"""Where a run puts what it made of a file. The keys hold the run: no run can overwrite what another one made."""

PREFIX = "artefacts/"


def run_prefix(batch_id: str, run_id: str) -> str:
    return f"{PREFIX}{batch_id}/{run_id}/"


def text_key(batch_id: str, run_id: str, position: int) -> str:
    """`position` is the file's place in its batch, from 0: short keys keep a retry's record small."""
    return f"{run_prefix(batch_id, run_id)}{position}.json"


def thumbnail_key(batch_id: str, run_id: str, position: int) -> str:
    return f"{run_prefix(batch_id, run_id)}{position}.jpg"
