"""The JavaScript client where a token can be had anew, in Node."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "clients" / "js" / "quire.js"


async def test_a_token_that_expires_or_is_not_to_be_had_at_once_is_asked_for_again() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node here: the JavaScript client was NOT tried")
    script = Path(__file__).with_name("renewing.mjs")
    done = await asyncio.to_thread(
        subprocess.run, [node, str(script), CLIENT.as_uri()], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    subscribe = {"type": "SUBSCRIBE", "collection_id": "c"}
    assert told["sent"] == [
        [],
        [{"type": "AUTHENTICATE", "token": "token 2"}, subscribe],
        [{"type": "AUTHENTICATE", "token": "token 3"}, {**subscribe, "after": 3, "epoch": "e"}],
    ]
    assert told["lost"] == [False, False, True]
    assert (told["twice"], told["opened"]) == ([1], 2)
