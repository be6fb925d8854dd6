"""The parent process of a service that is a member of a consumer group.

The parent forks the service, passes signals on to it, and ends with its exit code. When the service dies without having left its
groups (killed for memory, crashed), the parent leaves them in its place: the other members then have its partitions after a
second. Without the parent, Kafka would wait for the session timeout. A member is reported as gone only once its process has been
reaped, so never while it may still work.

The parent must stay small: it is forked before anything heavy is imported. It holds no connection; a child of its own speaks to
Kafka. It is also what a container needs as its first process: it handles signals, and reaps orphans.
"""

import ctypes
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence

LEAVE_SECONDS = 5.0
"""Seconds that leaving the groups of a dead service may take. After that, Kafka notices by the session timeout."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A service that lived this long is started again without a pause that counts former attempts."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_BY_THE_TERMINAL = 0x80  # si_code SI_KERNEL: the whole foreground group has the signal, the service too
_HEARD = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_BYTES = 4096


class Board:
    """A page of memory that the service shares with its parent: its group memberships, and whether it is to be started again.

    A page cannot fill up or block, as a pipe could. The length is written last, so a service that dies while it writes leaves
    nothing that can be read.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, _BYTES)
        self._members: dict[str, str] = {}
        self._restart = False

    def member(self, group: str, member: str | None) -> None:
        """Notes that the service is this member of the group; None once it has left."""
        self._members.pop(group, None)
        if member:
            self._members[group] = member
        self._write()

    def restart(self, *, wanted: bool) -> None:
        self._restart = wanted
        self._write()

    def read(self) -> tuple[dict[str, str], bool]:
        """Returns the member ids by group, and whether the service is to be started again."""
        length = int.from_bytes(self._page[:2], "big")
        if not length:
            return {}, False
        said = json.loads(self._page[2 : 2 + length])
        return said["members"], said["restart"]

    def clear(self) -> None:
        self._page[:2] = b"\0\0"

    def _write(self) -> None:
        text = json.dumps({"members": self._members, "restart": self._restart}).encode()
        self.clear()
        if len(text) <= _BYTES - 2:
            self._page[2 : 2 + len(text)] = text
            self._page[:2] = len(text).to_bytes(2, "big")


board = Board()
"""Of this process: nobody reads it in a process that has no guardian."""


def guard(service: str, argv: Sequence[str]) -> None:
    """Forks, if the command in `argv` is to serve. Returns in the service; the parent stays in here until it ends the process.
    Systems other than Linux have no guardian.
    """
    if sys.platform == "linux" and list(argv[:1]) in ([], ["serve"]):
        _Guardian(service).run()


class _Guardian:
    def __init__(self, name: str) -> None:
        self._name = name
        self._told_to_stop = False
        self._service = 0

    def run(self) -> None:
        """Returns only in the service."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        attempt = 0
        while self._forked():
            began = time.monotonic()
            code = os.waitstatus_to_exitcode(self._wait(self._service) or 0)
            self._service = 0
            members, restart = board.read()
            board.clear()
            if members:
                self._leave_groups(members)
            attempt = 1 if time.monotonic() - began > STEADY_SECONDS else attempt + 1
            if restart and code and not self._told_to_stop:
                self._wait(0, _pause(attempt))
            if self._told_to_stop or not restart or not code:
                os._exit(code if code >= 0 else 128 - code)

    def _forked(self) -> bool:
        """Forks the service. Returns True in the parent, False in the service."""
        parent = os.getpid()
        self._service = os.fork()
        if self._service:
            _prctl(_PR_SET_DUMPABLE, 0)  # the environment has credentials: other processes of this user must not read it
            return True
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        return False

    def _leave_groups(self, members: Mapping[str, str]) -> None:
        speaker = os.fork()
        if not speaker:
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
                from quire_runtime.leaving import leave  # noqa: PLC0415 -- too heavy for the parent

                leave(self._name, members)
            finally:
                os._exit(0)
        if self._wait(speaker, LEAVE_SECONDS) is None:
            os.kill(speaker, signal.SIGKILL)
            self._wait(speaker)

    def _wait(self, child: int, seconds: float | None = None) -> int | None:
        """Returns the child's status once it is reaped, or None after so many seconds; with `child` 0, also when told to stop.
        Meanwhile passes signals on to the service.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            heard = signal.sigwaitinfo(_HEARD) if deadline is None else _heard_until(deadline)
            if heard is None:
                return None
            if heard.si_signo != signal.SIGCHLD:
                self._pass_on(heard)
                if not child and self._told_to_stop:
                    return None
            elif (status := _reaped(child)) is not None:
                return status

    def _pass_on(self, heard: signal.struct_siginfo) -> None:
        self._told_to_stop |= heard.si_signo not in (signal.SIGUSR1, signal.SIGUSR2)
        if self._service and heard.si_code != _BY_THE_TERMINAL:
            os.kill(self._service, heard.si_signo)


def _pause(attempt: int) -> float:
    """Returns the seconds before an attempt: twice as many each time, up to LONGEST_PAUSE_SECONDS."""
    doubled = min(attempt - 1, 16)  # a float cannot hold the power of a service that has died for hours
    return min(FIRST_PAUSE_SECONDS * 2.0**doubled, LONGEST_PAUSE_SECONDS)


def _heard_until(deadline: float) -> signal.struct_siginfo | None:
    return signal.sigtimedwait(_HEARD, max(0.0, deadline - time.monotonic()))


def _reaped(child: int) -> int | None:
    """Reaps every child that has ended. Returns the status of `child`, if it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        if pid == child:
            found = status


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
