import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire_local.directory import DataDirectory
from quire_local.errors import DirectoryInUse, NotOurs, Unusable

SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path / "data")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


def test_a_directory_in_use_by_a_live_stack_is_refused_naming_its_pid(data: DataDirectory) -> None:
    with data.owned(), pytest.raises(DirectoryInUse, match=rf"in use by a running stack \(pid {os.getpid()}\)"), data.owned():
        pass


def test_a_directory_is_free_again_after_its_stack(data: DataDirectory) -> None:
    with data.owned() as first:
        pass
    with data.owned() as second:
        assert first == second


def test_a_directory_with_something_else_in_it_is_left_alone(data: DataDirectory) -> None:
    data.path.mkdir()
    (data.path / "thesis.pdf").write_text("years of work")
    with pytest.raises(NotOurs), data.owned(fresh=True):
        pass
    assert (data.path / "thesis.pdf").read_text() == "years of work"


@pytest.mark.parametrize("foreign", ['{"installed": {"client_id": "x"}}', "no json", "[]"])
def test_a_directory_with_credentials_of_another_program_is_left_alone(data: DataDirectory, foreign: str) -> None:
    data.path.mkdir()
    data.marker.write_text(foreign)
    (data.path / "thesis.pdf").write_text("years of work")
    with pytest.raises(NotOurs), data.owned(fresh=True):
        pass
    assert {entry.name for entry in data.path.iterdir()} == {"credentials.json", "thesis.pdf"}


def test_a_directory_that_cannot_be_one_is_told_in_a_sentence(data: DataDirectory) -> None:
    data.path.parent.mkdir(exist_ok=True)
    data.path.write_text("a file")
    with pytest.raises(Unusable, match=r"not a directory\. Give another one with --data"), data.owned():
        pass


def test_fresh_empties_the_directory(data: DataDirectory) -> None:
    with data.owned():
        (data.path / "kafka" / "data").mkdir(parents=True)
        (data.path / "samples-submitted").touch()
    with data.owned(fresh=True):
        assert {entry.name for entry in data.path.iterdir()} == {"lock", "credentials.json", "logs"}


def test_only_its_owner_can_read_the_secrets(data: DataDirectory) -> None:
    with data.owned():
        assert stat.S_IMODE(data.marker.stat().st_mode) == 0o600


def test_what_a_killed_stack_left_running_is_ended(data: DataDirectory, sleeper: subprocess.Popen[bytes]) -> None:
    with data.owned():
        data.remember({"kafka": sleeper.pid})
        data.stack_file.write_text("{}")
    with data.owned():
        assert sleeper.wait(10) == -9
        assert not data.stack_file.exists()


def test_a_process_that_has_the_pid_of_a_former_part_by_chance_is_spared(
    data: DataDirectory, sleeper: subprocess.Popen[bytes]
) -> None:
    with data.owned():
        data.remember({"kafka": sleeper.pid})
        noted = json.loads(data.processes.read_text())
        noted["kafka"]["created"] -= 100
        data.processes.write_text(json.dumps(noted))
    with data.owned():
        assert sleeper.poll() is None


def test_a_leftover_that_is_dead_already_costs_no_time(data: DataDirectory, sleeper: subprocess.Popen[bytes]) -> None:
    with data.owned():
        data.remember({"kafka": sleeper.pid})
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    assert not any(data._still_running())
