"""The jars' way into the cache, through jgo, from a Maven repository on this machine."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from quire_local import jars
from quire_local.errors import JarRefused, JarUnavailable
from quire_local.jars import Jar

CONTENT = {"alpha": b"a" * 50_000, "beta": b"b" * 80_000}


class Repository:
    """A Maven repository with two jars; it remembers what was asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.asked = directory, []  # type: Path, list[str]

        class Handler(SimpleHTTPRequestHandler):
            def log_message(handler, *arguments: Any) -> None:  # noqa: N805
                self.asked.append(handler.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(directory)))
        for name, content in CONTENT.items():
            self.path_of(name).parent.mkdir(parents=True)
            self.path_of(name).write_bytes(content)

    def path_of(self, name: str) -> Path:
        return self.directory / "org" / "example" / name / "1.0" / f"{name}-1.0.jar"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def times_asked_for(self, name: str) -> int:
        return sum(path.endswith(f"{name}-1.0.jar") for path in self.asked)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """The only repository there is, named in jgo's config file as a mirror is."""
    repository = Repository(tmp_path / "repository")
    (tmp_path / "jgo.conf").write_text(f"[repositories]\nhere = {repository.url}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", repository.url)
    serving = threading.Thread(target=repository.server.serve_forever)
    serving.start()
    yield repository
    repository.server.shutdown()
    serving.join()
    repository.server.server_close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def pins(**changed: str) -> list[Jar]:
    return [
        Jar(changed.get(name, hashlib.sha256(content).hexdigest()), len(content), "kafka", f"org.example:{name}:jar:1.0")
        for name, content in CONTENT.items()
    ]


def ensure(pinned: list[Jar], cache: Path, progress: jars.Progress = lambda _done, _total: None) -> None:
    jars.ensure(pinned, cache, progress, threading.Event())


def test_jars_are_fetched_once_with_progress(repository: Repository, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    for _ in range(2):
        ensure(pins(), cache, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (130_000, 130_000)
    assert seen == sorted(seen)
    assert {name: repository.times_asked_for(name) for name in CONTENT} == {"alpha": 1, "beta": 1}
    assert (cache / "jars" / "alpha-1.0.jar").read_bytes() == CONTENT["alpha"]


def test_a_jar_with_another_sum_is_refused_and_not_kept(repository: Repository, cache: Path) -> None:
    with pytest.raises(JarRefused, match=r"alpha-1\.0\.jar: its sha256 is .* but 0000 is pinned"):
        ensure(pins(alpha="0000"), cache)
    assert "alpha-1.0.jar" not in {path.name for path in cache.rglob("*")}


def test_a_jar_that_was_changed_in_the_cache_is_fetched_again(repository: Repository, cache: Path) -> None:
    ensure(pins(), cache)
    (cache / "jars" / "beta-1.0.jar").write_bytes(b"x" * 80_000)
    ensure(pins(), cache)
    assert (cache / "jars" / "beta-1.0.jar").read_bytes() == CONTENT["beta"]
    assert repository.times_asked_for("alpha") == 1


def test_a_jar_that_is_not_to_be_had_is_named(repository: Repository, cache: Path) -> None:
    repository.path_of("beta").unlink()
    with pytest.raises(JarUnavailable, match=r"beta-1\.0\.jar cannot be downloaded"):
        ensure(pins(), cache)


def test_a_download_can_be_called_off(repository: Repository, cache: Path) -> None:
    cancelled = threading.Event()
    with pytest.raises(jars.Cancelled):
        jars.ensure(pins(), cache, lambda _done, _total: cancelled.set(), cancelled)
    assert not list(cache.rglob("partial-*"))


def test_two_processes_at_once_fetch_each_jar_once(repository: Repository, cache: Path) -> None:
    source = "import sys, threading; from pathlib import Path; from quire_local import jars; "
    source += "jars.ensure(jars.pinned(Path(sys.argv[1])), Path(sys.argv[2]), lambda done, total: None, threading.Event())"
    lock = repository.directory / "jars.lock"
    lock.write_text("".join(f"{jar.sha256} {jar.size} {jar.part} {jar.coordinate}\n" for jar in pins()))
    command = [sys.executable, "-c", source, str(lock), str(cache)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert {name: repository.times_asked_for(name) for name in CONTENT} == {"alpha": 1, "beta": 1}


def test_every_pinned_jar_has_a_whole_line() -> None:
    pinned = jars.pinned()
    assert {jar.part for jar in pinned} == {"kafka", "s3"}
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in pinned)
    assert len({jar.filename for jar in pinned}) == len(pinned)


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUIRE_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert jars.cache_directory() == Path("/somewhere/quire")
    monkeypatch.setenv("QUIRE_CACHE_DIR", "/elsewhere")
    assert jars.cache_directory() == Path("/elsewhere")
