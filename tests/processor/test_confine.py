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
    "a link to what only its parent can read": "os.symlink('/proc/self/environ', {own!r} + '/link')",
    "a pipe on which its parent would wait": "os.mkfifo({own!r} + '/pipe')",
    "another process": "os._exit(0) if os.fork() == 0 else os.wait()",
    "a signal by another call": "signal.pthread_kill(threading.get_ident(), 0)",
    "a ring of system calls": "ring(425, 4, bytes(120))",
    "a socket": "socket.socket()",
    "a name looked up": "socket.getaddrinfo('localhost', 80); socket.create_connection(('127.0.0.1', {port}))",
    "a program": "os.execv('/bin/true', ['true'])",
    "a signal to its parent": "os.kill(os.getppid(), 0)",
    "the environment of its parent": "open('/proc/%d/environ' % os.getppid()).read()",
}
SCRIPT = """
import ctypes, os, signal, socket, sys, threading
from pathlib import Path
from quire_processor.confine import confine
from quire_processor.limits import Limits
if sys.argv[1] == "confined":
    confine(Limits(), Path({own!r}))
open({own!r} + "/mine", "w").close()

def ring(*numbers):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(*numbers) < 0 and ctypes.get_errno() == 1:
        raise OSError("refused")

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
        deed = DEEDS[name].format(elsewhere=tmp_path / "elsewhere", own=str(tmp_path / "own"), port=server.getsockname()[1])
        free = attempt(deed, "free", tmp_path)
        assert free.returncode == 0, free.stderr
        confined = attempt(deed, "confined", tmp_path)
        assert confined.returncode == 3, confined.stderr + confined.stdout
