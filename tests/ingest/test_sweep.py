from datetime import UTC, datetime

import pytest

from quire_ingest.sweep import LogNotWhole, Named, _require_known
from quire_runtime.storage import ObjectInfo


def test_artefacts_of_a_batch_that_the_log_does_not_know_say_that_it_is_another_log():
    artefact = ObjectInfo("artefacts/5c0a2a52-3a50-5e57-9d0e-6b1f4a6f2b25/run/0.json", 1, datetime.now(UTC))
    with pytest.raises(LogNotWhole, match="artefacts of the batch 5c0a2a52"):
        _require_known(Named(), [artefact])
