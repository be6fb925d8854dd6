from datetime import UTC, datetime

import pytest

from quire_ingest.settings import IngestSettings
from quire_ingest.sweep import LogNotWhole, Named, _require_known
from quire_ingest.sweeping import sweep_command
from quire_runtime.settings import KafkaSettings, S3Settings
from quire_runtime.storage import ObjectInfo


def test_artefacts_of_a_batch_that_the_log_does_not_know_say_that_it_is_another_log():
    artefact = ObjectInfo("artefacts/5c0a2a52-3a50-5e57-9d0e-6b1f4a6f2b25/run/0.json", 1, datetime.now(UTC))
    with pytest.raises(LogNotWhole, match="artefacts of the batch 5c0a2a52"):
        _require_known(Named(), [artefact])


@pytest.mark.parametrize("age", ["nan", "inf", "-1", "1e300", "soon"])
async def test_an_age_that_nothing_can_have_is_refused_in_a_sentence(age: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        await sweep_command(IngestSettings(kafka=KafkaSettings(), s3=S3Settings()), [f"--older-than={age}", "--force"])
    assert (ended.value.code, "argument --older-than" in capsys.readouterr().err) == (2, True)
