"""The jars of Kafka and S3Proxy: pinned in jars.lock, fetched once by jgo into the user's cache, checked at every start."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jgo.config
import jgo.constants
import requests
from jgo.maven import MavenContext, PythonResolver

from quire_local.errors import JarRefused, JarUnavailable

LOCK_FILE = Path(__file__).with_name("jars.lock")
TRIES = 3
CONNECTIONS = 4

Progress = Callable[[int, int], None]
"""Function called with (bytes fetched, bytes in all), from several threads, one at a time."""


@dataclass(frozen=True)
class Jar:
    """One line of jars.lock."""

    sha256: str
    size: int
    """Size in bytes."""
    part: str
    """Part of the stack that needs the jar: kafka or s3."""
    coordinate: str
    """Maven coordinate: group:artifact:packaging[:classifier]:version."""

    @property
    def filename(self) -> str:
        _, artifact, _, *classifier, version = self.coordinate.split(":")
        return "-".join([artifact, version, *classifier]) + ".jar"


class Cancelled(Exception):
    """The download was cancelled."""


def pinned(lock: Path = LOCK_FILE) -> list[Jar]:
    lines = [line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    return [Jar(sha256, int(size), part, coordinate) for sha256, size, part, coordinate in lines]


def cache_directory() -> Path:
    """Returns QUIRE_CACHE_DIR, else `quire` in XDG_CACHE_HOME, else ~/.cache/quire."""
    if chosen := os.environ.get("QUIRE_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quire"


def classpath(part: str, cache: Path, jars: Sequence[Jar]) -> str:
    return ":".join(str(cache / "jars" / jar.filename) for jar in jars if jar.part == part)


def ensure(jars: Sequence[Jar], cache: Path, progress: Progress, cancelled: threading.Event) -> None:
    """Fetches every jar that is not in the cache with the pinned sum. Of two processes at once, the second one waits and then
    finds the jars there.

    Raises JarRefused, JarUnavailable, and Cancelled once `cancelled` is set. It blocks: call it in a thread.
    """
    store = cache / "jars"
    if all_there(jars, store):
        return
    store.mkdir(parents=True, exist_ok=True)
    with (cache / "jars.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Download([jar for jar in jars if not is_right(store / jar.filename, jar)], store, progress, cancelled).run()


def all_there(jars: Sequence[Jar], store: Path) -> bool:
    with ThreadPoolExecutor() as pool:
        return all(pool.map(lambda jar: is_right(store / jar.filename, jar), jars))


def is_right(path: Path, jar: Jar) -> bool:
    try:
        return path.stat().st_size == jar.size and sha256_of(path) == jar.sha256
    except FileNotFoundError:
        return False


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Download:
    """Fetches jars into a temporary directory in `store`, and moves each jar into `store` when its sum is right."""

    def __init__(self, jars: Sequence[Jar], store: Path, progress: Progress, cancelled: threading.Event) -> None:
        self._jars, self._store, self._progress, self._cancelled = jars, store, progress, cancelled
        self._total, self._done, self._counting = sum(jar.size for jar in jars), 0, threading.Lock()

    def run(self) -> None:
        staging = Path(tempfile.mkdtemp(prefix="partial-", dir=self._store))
        try:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                for _ in pool.map(lambda jar: self._fetch(jar, staging), self._jars):
                    pass
        except BaseException:
            self._cancelled.set()
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _fetch(self, jar: Jar, staging: Path) -> None:
        for tries_left in reversed(range(TRIES)):
            counted = 0

            def count(received: int) -> None:
                nonlocal counted
                counted += received
                self._count(received)

            try:
                path = maven(staging / f"{jar.filename}-{tries_left}", count).create_dependency(jar.coordinate).artifact.resolve()
            except (requests.RequestException, RuntimeError, OSError) as error:
                self._count(-counted)
                if not tries_left:
                    raise JarUnavailable(jar.filename, str(error)) from error
            else:
                return self._admit(path, jar)
        return None

    def _admit(self, path: Path, jar: Jar) -> None:
        if (got := sha256_of(path)) != jar.sha256:
            raise JarRefused(jar.filename, expected=jar.sha256, got=got)
        path.replace(self._store / jar.filename)

    def _count(self, received: int) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        with self._counting:
            self._done += received
            self._progress(self._done, self._total)


def maven(directory: Path, received: Callable[[int], None]) -> MavenContext:
    """Returns a Maven client that stores files in `directory`. It asks the mirrors in jgo's config file, then Maven Central."""

    @contextmanager
    def counted(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield received

    repositories: dict[str, Any] = {**jgo.config.GlobalSettings.load().repositories, "central": jgo.constants.MAVEN_CENTRAL_URL}
    return MavenContext(PythonResolver(progress_callback=counted), repo_cache=directory, remote_repos=repositories, timeout=60)
