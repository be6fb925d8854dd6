"""The data directory of a stack: its lock, its secrets, and the processes that an earlier stack left running."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

from quire_local.errors import DirectoryInUse, NotOurs, Unusable

LEFTOVER_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Credentials:
    """Secrets of a data directory, made once for each: other users of this machine cannot use its Postgres and S3."""

    postgres_password: str
    s3_access_key: str
    s3_secret_key: str


@dataclass(frozen=True)
class DataDirectory:
    """Directory with all that `quire up` keeps of a stack: data, logs, credentials, stack.json. Only one `quire up` at a time
    uses it.
    """

    path: Path

    @classmethod
    def at(cls, path: Path) -> Self:
        return cls(path.resolve())

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def marker(self) -> Path:
        """File that marks the directory as made by Quire; it holds the secrets."""
        return self.path / "credentials.json"

    @property
    def processes(self) -> Path:
        return self.path / "processes.json"

    @property
    def stack_file(self) -> Path:
        """File with the addresses for other programs (docs/design.md, "Contracts"); it exists only while all is ready."""
        return self.path / "stack.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @contextlib.contextmanager
    def owned(self, *, fresh: bool = False) -> Iterator[Credentials]:
        """Makes the directory if it is missing, and locks it until the end of the block; `fresh` empties it first. Yields its
        secrets.

        Processes that a killed stack left running here are ended before the block begins. Raises DirectoryInUse, NotOurs or
        Unusable.
        """
        with contextlib.ExitStack() as held:
            try:
                self._require_ours()
                self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
                held.enter_context(self._locked())
                self.end_leftovers()
                if fresh:
                    self._empty()
                credentials = self._credentials()
                make_private(self.logs)
            except OSError as error:
                raise Unusable(self.path, error.strerror or str(error)) from error
            yield credentials

    def remember(self, pids: Mapping[str, int]) -> None:
        """Notes the running processes, so that a later start can end them if this stack is killed."""
        noted = {}
        for name, pid in pids.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                noted[name] = {"pid": pid, "created": psutil.Process(pid).create_time()}
        write_whole(self.processes, json.dumps(noted, indent=2))

    def end_leftovers(self) -> None:
        """Ends the processes noted last that still run. They should have died with their parent; this makes sure of it."""
        if not self._all_gone(within=LEFTOVER_PATIENCE_S):
            self._end(lambda name: signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
        if not self._all_gone(within=LEFTOVER_PATIENCE_S):
            self._end(lambda _: signal.SIGKILL)
            self._all_gone(within=LEFTOVER_PATIENCE_S)
        self.processes.unlink(missing_ok=True)
        self.stack_file.unlink(missing_ok=True)

    def _end(self, by: Callable[[str], signal.Signals]) -> None:
        """Sends the signal `by(name)` to each process that still runs. Postgres is asked first (SIGQUIT): a postmaster that is
        killed leaves its backends running for a moment.
        """
        for name, process in self._still_running():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(by(name))

    def _all_gone(self, within: float) -> bool:
        deadline = time.monotonic() + within
        while any(self._still_running()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _still_running(self) -> Iterator[tuple[str, psutil.Process]]:
        """Yields the noted processes that still run. A zombie process (exited, not yet reaped) counts as dead."""
        with contextlib.suppress(FileNotFoundError):
            for name, noted in json.loads(self.processes.read_text()).items():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process = psutil.Process(noted["pid"])
                    if process.create_time() == noted["created"] and process.status() != psutil.STATUS_ZOMBIE:
                        yield name, process

    def _require_ours(self) -> None:
        """Raises NotOurs unless the directory is empty except for a lock, or holds Quire's secrets. The content of the secrets
        file is checked, as another program may have a file of that name, too.
        """
        with contextlib.suppress(FileNotFoundError):
            if any(entry != self.lock_file for entry in self.path.iterdir()) and self._known() is None:
                raise NotOurs(self.path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self.lock_file.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise DirectoryInUse(self.path, lock.read().strip() or "starting just now") from None
            lock.truncate(0)
            lock.write(f"pid {os.getpid()}")
            lock.flush()
            yield

    def _empty(self) -> None:
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry not in (self.lock_file, self.marker):
                entry.unlink()

    def _known(self) -> Credentials | None:
        try:
            return Credentials(**json.loads(self.marker.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _credentials(self) -> Credentials:
        known = self._known()
        if known is not None:
            return known
        made = Credentials(secrets.token_urlsafe(24), "quire", secrets.token_urlsafe(24))
        write_whole(self.marker, json.dumps(asdict(made), indent=2))
        return made


def make_private(path: Path) -> None:
    """Makes a directory that no other user may look into, whatever the modes of the files in it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def write_whole(path: Path, text: str) -> None:
    """Writes a file that only its owner can read. It is replaced as a whole: a reader never sees half a file."""
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(path)
