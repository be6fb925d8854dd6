"""What the page is built from follows the contract: its types, and the histories that its fold is tested with."""

from __future__ import annotations

import json
import os
import subprocess
from typing import get_args

import pytest
from tests.page.browser import ROOT
from tests.page.histories import FIXTURE, restored, told

from quire_schemas import generate, typescript
from quire_schemas.messages import AnyFeedMessage


def test_the_page_has_the_types_of_the_structs():
    committed = generate.CONTRACT.read_text("utf-8")
    assert committed == typescript.document(), "run `python -m quire_schemas.generate` and commit what it writes"


def test_the_histories_say_what_todays_fold_says():
    histories = json.loads(FIXTURE.read_text("utf-8"))
    assert len(histories) >= 20
    for history in histories:
        assert told(restored(history["records"])) == history["told"], (
            "run `python -m tests.page.histories` and commit what it writes"
        )


def test_the_histories_know_every_message_of_the_feed():
    heard = {told["message"]["type"] for history in json.loads(FIXTURE.read_text("utf-8")) for told in history["told"]}
    assert heard == {struct.__struct_config__.tag for struct in get_args(AnyFeedMessage)}


@pytest.mark.timeout(300)
def test_the_fold_of_the_page_agrees():
    """Vitest: web/tests."""
    command = [str(ROOT / "web" / "with-node"), "npx", "vitest", "run", "--reporter=dot"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
