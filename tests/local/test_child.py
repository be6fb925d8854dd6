import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from quire_local.child import Child, ended

PYTHON = [sys.executable, "-c"]
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(300)"
SLEEP = "import time; print('asleep', flush=True); time.sleep(300)"

PARENT = """
import asyncio, sys
from pathlib import Path
from quire_local.child import Child

async def main():
    child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(300)"], Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""


async def speaks(child: Child, word: str) -> None:
    async with asyncio.timeout(20):
        while word not in "".join(child.last_lines()):
            await asyncio.sleep(0.01)


async def test_its_output_is_in_its_log_and_its_exit_code_is_told(tmp_path: Path) -> None:
    child = Child("speaker", [*PYTHON, "print('one'); print('two'); raise SystemExit(3)"], tmp_path / "logs" / "speaker.log")
    await child.start()
    assert await child.wait() == 3
    assert child.last_lines() == ["one", "two"]
    assert "speaker ended with exit code 3" in str(child.failure())
    assert "two" in str(child.failure())


async def test_the_last_lines_are_those_of_the_last_start(tmp_path: Path) -> None:
    for word in ("first", "second"):
        child = Child("speaker", [*PYTHON, f"print('{word}')"], tmp_path / "speaker.log")
        await child.start()
        await child.wait()
    assert child.last_lines() == ["second"]
    assert (tmp_path / "speaker.log").read_text() == "first\nsecond\n"


async def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = Child("deaf", [*PYTHON, DEAF], tmp_path / "deaf.log", patience=0.2)
    await child.start()
    await speaks(child, "deaf")
    await child.stop()
    assert await child.wait() == -signal.SIGKILL


async def test_one_that_is_frozen_can_be_stopped(tmp_path: Path) -> None:
    child = Child("frozen", [*PYTHON, SLEEP], tmp_path / "frozen.log")
    await child.start()
    await speaks(child, "asleep")
    child.send(signal.SIGSTOP)
    await child.stop()
    assert await child.wait() == -signal.SIGTERM


async def test_what_it_has_started_itself_ends_with_it(tmp_path: Path) -> None:
    source = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']).pid)"
    child = Child("mother", [*PYTHON, source], tmp_path / "mother.log")
    await child.start()
    await child.wait()
    assert is_gone(int(child.last_lines()[0]))


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's; elsewhere the next start ends leftovers")
def test_it_dies_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([*PYTHON, PARENT, str(tmp_path / "sleeper.log")], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    assert is_gone(pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_another_user_can_still_read_what_root_can(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "secret").write_text("seen")
    (tmp_path / "secret").chmod(0o600)
    source = f"import os; print(os.geteuid(), open({str(tmp_path / 'secret')!r}).read())"
    child = Child("nobody", [*PYTHON, source], tmp_path / "nobody.log", user=(65534, 65534))
    await child.start()
    await child.wait()
    assert child.last_lines() == ["65534 seen"]


@pytest.mark.parametrize(
    ("status", "words"), [(0, "exit code 0"), (7, "exit code 7"), (-9, r"signal 9 \(SIGKILL\)"), (-64, "signal 64")]
)
def test_how_a_process_ended_is_said_in_words(status: int, words: str) -> None:
    assert re.search(words, ended(status))


def is_gone(pid: int) -> bool:
    """Within ten seconds; a zombie is gone."""
    try:
        process = psutil.Process(pid)
        for _ in range(1000):
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            psutil.wait_procs([process], timeout=0.01)
        return not process.is_running()
    except psutil.NoSuchProcess:
        return True
