"""The guardian of a service: what it passes on, when it speaks for the dead, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import psutil
import pytest
from tests.programs import line, running

from quire_runtime.guardian import LONGEST_PAUSE_SECONDS, Board, _pause

GUARDED = """
import os, signal, sys, time
from quire_runtime import guardian, leaving

leaving.leave = lambda service, members: print("left", service, members, flush=True)
guardian.FIRST_PAUSE_SECONDS = 0.01
guardian.guard("notifier", [])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.signal(signal.SIGUSR1, lambda *_: print("usr1", flush=True))
{does}
print("serving", os.getpid(), flush=True)
while True:
    time.sleep(0.1)  # short: a signal just before a sleep is heard only after it
"""
MEMBER = 'guardian.board.member("quire-notifier", "member-1")'


def guarded(does: str = MEMBER) -> AbstractContextManager[subprocess.Popen[str]]:
    """A service that has a guardian. The process is the guardian."""
    return running(sys.executable, "-c", GUARDED.format(does=does))


def served(process: subprocess.Popen[str]) -> int:
    word, _, pid = line(process).partition(" ")
    assert word == "serving"
    return int(pid)


def test_a_service_that_is_killed_leaves_its_groups_by_its_guardian() -> None:
    with guarded() as process:
        os.kill(served(process), signal.SIGKILL)
        assert line(process) == "left notifier {'quire-notifier': 'member-1'}"
        assert process.wait(20) == 128 + signal.SIGKILL


@pytest.mark.parametrize("does", ["", f'{MEMBER}; guardian.board.member("quire-notifier", None)'], ids=["never in", "out again"])
def test_nobody_leaves_for_a_service_that_is_in_no_group(does: str) -> None:
    with guarded(does) as process:
        os.kill(served(process), signal.SIGKILL)
        assert process.communicate(timeout=20)[0] == ""


def test_signals_are_passed_on_and_the_exit_code_is_the_service_s() -> None:
    with guarded() as process:
        served(process)
        process.send_signal(signal.SIGUSR1)
        assert line(process) == "usr1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with guarded("sys.exit(2)") as process:
        assert process.wait(20) == 2


def test_a_terminal_s_ctrl_c_reaches_the_service_once() -> None:
    """The whole foreground group gets it from the terminal; a second one would mean "at once"."""
    script = 'signal.signal(signal.SIGINT, lambda *_: print("int", flush=True))'
    pid, terminal = os.forkpty()
    if not pid:
        os.execv(sys.executable, [sys.executable, "-c", GUARDED.format(does=script)])  # noqa: S606 -- our own program
    with os.fdopen(terminal, "r+b", buffering=0) as tty:
        said = b""
        while b"serving" not in said:
            said += tty.read(100)
        tty.write(b"\x03")
        while b"int" not in said:
            said += tty.read(100)
        os.kill(pid, signal.SIGTERM)
        with suppress(OSError):  # once the terminal's other end is closed
            while more := tty.read(100):
                said += more
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert said.count(b"int") == 1


def test_a_service_dies_with_its_guardian() -> None:
    with guarded() as process:
        service = psutil.Process(served(process))
        process.kill()
        assert not psutil.wait_procs([service], timeout=20)[1]


def test_it_is_started_again_where_that_is_wanted() -> None:
    with guarded(f"{MEMBER}; guardian.board.restart(wanted=True)") as process:
        first = served(process)
        os.kill(first, signal.SIGKILL)
        assert line(process).startswith("left notifier")
        second = served(process)
        assert second != first
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_it_is_not_started_again_once_it_was_told_to_stop() -> None:
    does = "guardian.board.restart(wanted=True); signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))"
    with guarded(does) as process:
        served(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 3


def test_orphans_are_reaped_as_the_first_process_of_a_container_has_to() -> None:
    orphan = (
        "child = os.fork()\nif not child:\n    print(os.fork(), flush=True); time.sleep(0.2); os._exit(0)\nos.waitpid(child, 0)"
    )
    subreaper = "import ctypes; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"
    with running(sys.executable, "-c", subreaper + GUARDED.format(does=orphan)) as process:
        left = next(int(each) for each in (line(process), line(process)) if each != "0")
        served(process)
        with suppress(psutil.NoSuchProcess):  # reaped already
            psutil.Process(left).wait(20)


def test_what_is_written_half_is_not_read() -> None:
    board = Board()
    board.member("a", "1")
    board.restart(wanted=True)
    assert board.read() == ({"a": "1"}, True)
    board.clear()
    assert board.read() == ({}, False)
    board.member("b", "2" * 5000)  # more than there is room for
    assert board.read() == ({}, False)


def test_the_guardian_imports_nothing_heavy() -> None:
    code = "import sys; import quire_runtime.guardian; print(sorted(n for n in sys.modules if n.split('.')[0] in HEAVY))"
    heavy = "HEAVY = {'asyncio', 'aiokafka', 'msgspec', 'uvloop', 'structlog', 'starlette'}; "
    done = subprocess.run([sys.executable, "-c", heavy + code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_only_serving_has_a_guardian(tmp_path: Path) -> None:
    code = "from quire_runtime import guardian; import os; guardian.guard('x', ['check-config']); print(os.getppid())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert int(done.stdout) == os.getpid()


def test_a_service_that_dies_for_days_is_started_again_all_the_same() -> None:
    assert [_pause(attempt) for attempt in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert _pause(100_000) == LONGEST_PAUSE_SECONDS
