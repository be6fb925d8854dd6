"""Each broken promise is seen: the checks, on facts that are made to be wrong in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.chaos.checks import Facts, violations

from quire_schemas import ids
from quire_schemas.events import BatchCompleted, BatchCreated, BatchStarted, Event, EventData, FileProcessed, FileSpec, event_of

BATCH, RUN, FILE, OTHER, REQUEST = (ids.derived(name) for name in ("batch", "run", "file", "other", "request"))


def event(data: EventData) -> Event:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return event_of(data, id=ids.derived(data), batch_id=BATCH, collection_id="c", source="/test", time=now)


def spec(file_id: str) -> FileSpec:
    return FileSpec(file_id=file_id, filename="a.pdf", size=1, sha256="0" * 64, object_key=f"originals/{file_id}")


def processed(file_id: str) -> Event:
    key = f"artefacts/{file_id}"
    return event(
        FileProcessed(run_id=RUN, file_id=file_id, page_count=1, title=None, text_key=key, thumbnail_key=None, duration_ms=1)
    )


LOG = [
    event(BatchCreated(collection_id="c", request_id=REQUEST, files=(spec(FILE), spec(OTHER)))),
    event(BatchStarted(attempt=1, run_id=RUN, worker="w")),
    processed(FILE),
    processed(OTHER),
    event(BatchCompleted(run_id=RUN)),
]
ROW = {"batch_id": BATCH, "status": "completed", "generation": 0, "attempt": 1, "processed": 2, "failed": 0}
GOOD = Facts(
    accepted=[BATCH],
    log=list(enumerate(LOG)),
    batches=[ROW],
    files=[{"batch_id": BATCH, "id": file_id, "processing_status": "processed"} for file_id in (FILE, OTHER)],
    documents=[{"file_id": FILE}, {"file_id": OTHER}],
    feed={"c": [{"seq": 1}, {"seq": 2}]},
    seen=[[1, 2], [2]],
    objects=frozenset({f"originals/{FILE}", f"originals/{OTHER}", f"artefacts/{FILE}", f"artefacts/{OTHER}"}),
)


def test_facts_as_they_should_be_violate_nothing() -> None:
    assert violations(GOOD) == []


SABOTAGE: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "an accepted batch is lost": (lambda: {"accepted": [BATCH, OTHER]}, "promised by a 202"),
    "a batch is left": (lambda: {"log": list(enumerate(LOG[:-1]))}, "is left processing"),
    "the projection is behind": (lambda: {"batches": [ROW | {"processed": 1}]}, "is projected as"),
    "a file's row is wrong": (lambda: {"files": []}, "is projected as None"),
    "the feed has a gap": (lambda: {"feed": {"c": [{"seq": 1}, {"seq": 3}]}}, "not contiguous"),
    "the feed has a double": (lambda: {"feed": {"c": [{"seq": 1}, {"seq": 1}]}}, "not contiguous"),
    "a subscriber missed one": (lambda: {"seen": [[1, 3]]}, "saw 3 after 1"),
    "a subscriber saw one twice": (lambda: {"seen": [[1, 2, 2]]}, "saw 2 after 2"),
    "rows of a file are gone": (lambda: {"documents": [{"file_id": FILE}]}, "1 processed files have no rows"),
    "an artefact is gone": (lambda: {"objects": GOOD.objects - {f"artefacts/{FILE}"}}, "1 artefacts are missing"),
    "garbage is left": (lambda: {"objects": GOOD.objects | {"artefacts/x"}}, "1 are there that nobody names"),
    "an original is gone": (lambda: {"objects": GOOD.objects - {f"originals/{FILE}"}}, "1 originals are missing"),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_it_is_noticed_when(name: str) -> None:
    changes, sentence = SABOTAGE[name]
    assert any(sentence in violation for violation in violations(replace(GOOD, **changes())))
