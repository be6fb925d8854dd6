from contextlib import nullcontext
from datetime import UTC, datetime

import jwt
import pytest
from tests.schemas import story

from quire_ingest import sweeping
from quire_ingest.settings import IngestSettings
from quire_ingest.sweep import LogNotWhole, Named, _require_known, _require_listed
from quire_ingest.sweeping import sweep_command
from quire_runtime.errors import CannotServe
from quire_runtime.settings import KafkaSettings, S3Settings
from quire_runtime.storage import ObjectInfo


def test_artefacts_of_a_batch_that_the_log_does_not_know_say_that_it_is_another_log():
    artefact = ObjectInfo("artefacts/5c0a2a52-3a50-5e57-9d0e-6b1f4a6f2b25/run/0.json", 1, datetime.now(UTC))
    with pytest.raises(LogNotWhole, match="artefacts of the batch 5c0a2a52"):
        _require_known(Named(), [artefact])


def test_a_log_without_a_retry_that_the_notifier_lists_is_not_whole():
    named = Named()
    for offset, event in enumerate((story.created(), story.cancel())):
        named.take(event, offset)
    _require_listed(named, {story.BATCH: 0})
    with pytest.raises(LogNotWhole, match=f"a retry of the batch {story.BATCH}"):
        _require_listed(named, {story.BATCH: 1})
    named.take(story.retry(), 2)
    _require_listed(named, {story.BATCH: 1})
    with pytest.raises(LogNotWhole, match="lists the batch another"):
        _require_listed(named, {"another": 0})


@pytest.mark.parametrize("collections", [["a", "b-*"], "a b-*", []])
async def test_a_token_for_some_collections_only_cannot_tell_whether_the_log_is_whole(
    collections: object, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sweeping, "ObjectStore", lambda _: nullcontext())
    monkeypatch.setattr(sweeping, "LogScan", lambda *_: nullcontext())
    monkeypatch.setenv("QUIRE_TOKEN", jwt.encode({"collections": collections}, "k" * 32))
    with pytest.raises(CannotServe, match=r"Give a token for all collections \(\*\)"):
        await sweep_command(IngestSettings(kafka=KafkaSettings(), s3=S3Settings()), [])


@pytest.mark.parametrize("age", ["nan", "inf", "-1", "1e300", "soon"])
async def test_an_age_that_nothing_can_have_is_refused_in_a_sentence(age: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        await sweep_command(IngestSettings(kafka=KafkaSettings(), s3=S3Settings()), [f"--older-than={age}", "--force"])
    assert (ended.value.code, "argument --older-than" in capsys.readouterr().err) == (2, True)
