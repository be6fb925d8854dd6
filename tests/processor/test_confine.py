"""What a worker process cannot do; each thing is shown to work first where nothing is confined."""

import subprocess
import sys
from pathlib import Path

import pytest

from quire_processor.confine import lacking

DEEDS = {
    "a file elsewhere": "open('{elsewhere}/x', 'w').close()",
    "removing a file": "os.unlink('{elsewhere}/there')",
    "reading what it must not": "open('{elsewhere}/secret').read()",
    "a socket": "socket.socket()",
    "a name looked up": "socket.getaddrinfo('localhost', 80); socket.create_connection(('127.0.0.1', {port}))",
    "a program": "os.execv('/bin/true', ['true'])",
    "a signal to its parent": "os.kill(os.getppid(), 0)",
    "the environment of its parent": "open('/proc/%d/environ' % os.getppid()).read()",
}
SCRIPT = """
import os, socket, sys
from pathlib import Path
from quire_processor.confine import confine
from quire_processor.limits import Limits
if sys.argv[1] == "confined":
    confine(Limits(), Path({own!r}))
open({own!r} + "/mine", "w").close()
try:
    {deed}
except OSError as error:
    print("refused", error)
    sys.exit(3)
"""


def attempt(deed: str, how: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    for directory in (own, elsewhere):
        directory.mkdir(exist_ok=True)
    (elsewhere / "there").touch()
    (elsewhere / "secret").write_text("secret")
    script = SCRIPT.format(own=str(own), deed=deed)
    return subprocess.run([sys.executable, "-c", script, how], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("name", DEEDS)
def test_a_worker_cannot(name: str, tmp_path: Path) -> None:
    if lacks := lacking():
        pytest.skip(f"on this machine not all of it holds: {'; '.join(lacks)}")
    import socket  # noqa: PLC0415 -- only here

    with socket.create_server(("127.0.0.1", 0)) as server:
        deed = DEEDS[name].format(elsewhere=tmp_path / "elsewhere", port=server.getsockname()[1])
        free = attempt(deed, "free", tmp_path)
        assert free.returncode == 0, free.stderr
        confined = attempt(deed, "confined", tmp_path)
        assert confined.returncode == 3, confined.stderr + confined.stdout
