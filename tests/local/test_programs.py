import os
import subprocess
from pathlib import Path

import pytest

from quire_local import programs
from quire_local.errors import LocalError
from quire_local.programs import INSTALLED, LIBRARIES, copied, is_open, program

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only for root does Postgres become another user")


@pytest.fixture
def open_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """For temporary files; what is above it counts as open."""
    tmp_path.chmod(0o755)
    monkeypatch.setattr(programs, "is_open", lambda path: bool(path.stat().st_mode & 0o001))
    monkeypatch.setattr(programs.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def test_a_path_is_open_where_everybody_may_pass_through_all_of_it(tmp_path: Path):
    assert is_open(Path("/usr/bin"))
    (tmp_path / "closed").mkdir(mode=0o700)
    assert not is_open(tmp_path / "closed")


@as_root
def test_below_a_directory_of_roots_own_a_copy_of_the_programs_is_run(open_directory: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(programs, "is_open", lambda path: path == open_directory)
    initdb = program("initdb")
    assert initdb.startswith(str(open_directory))
    assert program("postgres").startswith(str(Path(initdb).parent))
    assert "initdb" in subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True).stdout


@as_root
def test_a_copy_that_others_could_change_is_not_run(open_directory: Path):
    packages = open_directory / "site-packages"
    (packages / INSTALLED).mkdir(parents=True)
    (packages / LIBRARIES).mkdir()
    place = copied(packages)
    assert copied(packages) == place
    place.chmod(0o777)
    with pytest.raises(LocalError, match="Remove it"):
        copied(packages)


def test_without_a_directory_that_others_can_reach_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tmp_path.chmod(0o700)
    monkeypatch.setattr(programs.tempfile, "gettempdir", lambda: str(tmp_path))
    with pytest.raises(LocalError, match="TMPDIR"):
        copied(tmp_path)
