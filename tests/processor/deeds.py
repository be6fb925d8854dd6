"""What a worker process may try that a file has taken over.

It is a real one, started by WorkerPool: only that it reads no PDF, but does the deeds that its file names.
test_images_live runs this file alone inside the processor's image, so it imports only what is installed there.
"""

import codecs
import contextlib
import encodings.aliases
import errno
import fcntl
import importlib
import json
import mmap
import os
import pkgutil
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import PIL
import pypdf
import pypdfium2

from quire_processor import landlock, seccomp, spawning, worker
from quire_processor.evidence import File
from quire_processor.extracted import Extracted
from quire_processor.kernel import call
from quire_processor.limits import Limits
from quire_processor.pool import WorkerPool
from quire_processor.reading import Reading
from quire_processor.rows import SpilledRows
from quire_processor.workplace import Workplace

Scene = dict[str, Any]
Deed = Callable[[Scene], object]
Outcome = tuple[str, str]
MEMORY = 384 * 1024**2  # bytes that a worker may have
REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EFBIG, errno.EMFILE, errno.ENOTSUP, errno.ENOSPC}
"""How the kernel says that it will not. Any other error has a reason of its own, as a name that is taken: such a deed failed."""
CLONE_NEWUSER, PR_SET_PDEATHSIG, PR_SET_DUMPABLE, F_SETSIG = 0x10000000, 1, 4, 10


@contextlib.contextmanager
def others(where: Path, deeds: Iterable[str]) -> Iterator[Scene]:
    """Whom a worker could harm: files for each deed, those of another worker, a process, and sockets that take datagrams."""
    another = where / "scratch" / "worker-of-another"
    files = {where / "elsewhere" / deed: ("secret", "there") for deed in map(_file_name, deeds)}
    for directory, names in {**files, another: ("original.pdf", "pages.tsv")}.items():
        directory.mkdir(parents=True)
        for name in names:
            (directory / name).write_text("of another")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as victim,
    ):
        named.bind(str(where / "socket"))
        abstract.bind("")  # the kernel chooses a name
        try:
            yield {
                "elsewhere": str(where / "elsewhere"),
                "parent": os.getpid(),
                "victim": victim.pid,
                "nice": os.getpriority(os.PRIO_PROCESS, 0),
                "cores": list(os.sched_getaffinity(0)),
                "socket": named.getsockname(),
                "abstract": abstract.getsockname()[1:].decode(),
            }
        finally:
            victim.kill()


async def outcomes(names: Collection[str], main: Callable[..., None], where: Path) -> dict[str, Outcome]:
    """How the deeds end that one worker tries, one after the other. Raises NotConfined."""
    where.mkdir(exist_ok=True)
    with others(where, names) as scene:
        script = where / "script"
        script.write_text(json.dumps({**scene, "deeds": list(names)}))
        before, spawning.work = spawning.work, main
        try:
            async with WorkerPool(1, Limits(memory_bytes=MEMORY), where / "scratch", sandbox="require") as pool:
                extracted = await pool.extract(script, Workplace(where))
        finally:
            spawning.work = before
    return {name: (how, what) for name, (how, what) in json.loads(told(extracted)).items()}


def told(extracted: Extracted) -> str:
    """The text of the one page."""
    made = extracted.text
    text: str = json.loads(made if isinstance(made, bytes) else made.read_bytes())["pages"][0]["text"]
    return text


def wrote(rows: SpilledRows, text: str) -> tuple[Reading, None]:
    """Writes the text as that of a page, into the file."""
    row = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    rows.path.write_text(f"1\t{row}\n")
    return Reading(
        page_count=1, rows=1, pages_read=1, characters=len(text), truncated=False, title=None, metadata={}, notices=()
    ), None


def confined_main(pipe: socket.socket, *arguments: Any) -> None:
    """In the place of spawning.work."""
    worker.read = commit
    worker.main(pipe, *arguments)


def only_landlock_main(pipe: socket.socket, *arguments: Any) -> None:
    seccomp.restrict = lambda _calls: None
    confined_main(pipe, *arguments)


def only_seccomp_main(pipe: socket.socket, *arguments: Any) -> None:
    landlock.restrict = lambda _readable, _writable: None
    confined_main(pipe, *arguments)


def free_main(pipe: socket.socket, *arguments: Any) -> None:
    """The same, but nothing is given up. Each deed has a process of its own, as what is done may last."""
    global committed
    worker.confine, committed = lambda *_: {}, apart
    confined_main(pipe, *arguments)


def commit(source: File, rows: SpilledRows, *_: object) -> tuple[Reading, None]:
    """Writes down how each deed of the scene ended: done, refused or failed, and what came of it."""
    own = rows.path.parent
    scene = json.loads(source if isinstance(source, bytes) else source.read_bytes())
    scene.update(original=source, own=own, scratch=own.parent, files=Path(scene["elsewhere"]))
    return wrote(rows, json.dumps({name: committed(name, scene) for name in scene["deeds"]}))


def here(name: str, scene: Scene) -> Outcome:
    of_its_own = {"elsewhere": scene["files"] / _file_name(name), "new": scene["own"] / _file_name(name)}
    try:
        return "done", repr((DEEDS | OBSERVATIONS)[name]({**scene, **of_its_own}))
    except OSError as error:
        return "refused" if error.errno in REFUSALS else "failed", errno.errorcode.get(error.errno or 0, repr(error))
    except (RuntimeError, MemoryError, ValueError) as error:
        return "refused", repr(error)


def apart(name: str, scene: Scene) -> Outcome:
    """In a child of this process; but a mere observation is of itself."""
    if name in OBSERVATIONS:
        return here(name, scene)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, json.dumps(here(name, scene)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        how, what = json.load(said)
    os.waitpid(child, 0)
    return how, what


committed = here


def _file_name(deed: str) -> str:
    return deed.replace("/", " ")


def tried(attempt: Callable[[], object]) -> str:
    """The kernel looked at it and found it to be nonsense: so it was not refused."""
    try:
        attempt()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EFAULT, errno.EINVAL):
            raise
    return "it got that far"


def datagram(address: str | bytes) -> int:
    ours, _theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return ours.sendto(b"<14>hello", address)


def forked() -> object:
    child = os.fork()
    if not child:
        os._exit(0)
    return os.waitpid(child, 0)


def signalled(victim: int) -> str:
    """Kills without kill(): the kernel sends the signal of a descriptor's owner."""
    ours, theirs = socket.socketpair()
    fcntl.fcntl(ours, fcntl.F_SETOWN, victim)
    fcntl.fcntl(ours, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC)
    theirs.send(b"x")
    for _ in range(100):
        if " Z " in Path(f"/proc/{victim}/stat").read_text():
            return "killed"
        time.sleep(0.1)
    raise TimeoutError("it lives")


def own_pipe() -> int:
    """The descriptor of the socket by which this worker talks to its parent."""
    return next(fd for fd in range(3, 64) if _kind(fd) == "socket")


def descriptors() -> list[str]:
    return sorted(kind for fd in range(256) if (kind := _kind(fd)))


def _kind(descriptor: int) -> str | None:
    try:
        mode = os.fstat(descriptor)
    except OSError:
        return None
    if stat.S_ISCHR(mode.st_mode) and mode.st_rdev == Path(os.devnull).stat().st_rdev:
        return "null"
    return {stat.S_IFSOCK: "socket", stat.S_IFIFO: "pipe", stat.S_IFREG: "file"}.get(stat.S_IFMT(mode.st_mode), "other")


def forge() -> str:
    line = b"2026-11-26T00:00:00Z [info] forged by a worker\n"
    for descriptor in range(64):
        if _kind(descriptor) not in ("socket", None):
            try:
                os.write(descriptor, line)
            except OSError:
                continue
    return "written"


def memory_by(file: Callable[[], int]) -> str:
    """More than the worker may have of memory, of which its own address space holds nothing."""
    held = [file() for _ in range(3)]
    for descriptor in held:
        for _ in range(MEMORY // 2 // 1024**2):
            os.write(descriptor, b"x" * 1024**2)
    return f"{sum(os.fstat(descriptor).st_size for descriptor in held)} bytes"


def large(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        file.seek(600 * 1024**2)
        file.write(b"x")
        file.truncate(0)  # nobody should copy that


def many_open(path: Path) -> None:
    opened: list[int] = []
    try:
        opened.extend(os.open(path, os.O_RDONLY) for _ in range(100))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def locked(path: Path) -> None:
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def replaced(path: Path) -> None:
    path.unlink()
    path.touch()


def thread() -> object:
    started = threading.Thread(target=int)
    started.start()
    return started.join()


def unloadable() -> list[str]:
    """What the libraries may load late, when a file asks for it, and cannot."""
    modules = [module.name for of in (pypdf, pypdfium2) for module in pkgutil.walk_packages(of.__path__, f"{of.__name__}.")]
    modules += [f"PIL.{module.name}" for module in pkgutil.iter_modules(PIL.__path__) if module.name.endswith("Plugin")]
    modules.remove("pypdfium2.__main__")
    codings = sorted(set(encodings.aliases.aliases.values()))
    return [name for name in modules if not _works(importlib.import_module, name)] + [
        name for name in codings if not _works(codecs.lookup, name)
    ]


def _works(load: Callable[[str], object], name: str) -> bool:
    try:
        load(name)
    except Exception:  # noqa: BLE001 -- whatever a module raises
        return False
    return True


def spin(pid_file: Path) -> None:
    pid_file.write_text(f"{os.getpid()}\n")
    while True:
        pass


def read(path: Path | str) -> object:
    return Path(path).read_bytes()[:10]


LANDLOCK: dict[str, Deed] = {
    # Files of others
    "a file elsewhere": lambda scene: (scene["elsewhere"] / "new").touch(),
    "a file of another worker": lambda scene: read(scene["scratch"] / "worker-of-another" / "original.pdf"),
    "a result of another worker": lambda scene: (scene["scratch"] / "worker-of-another" / "pages.tsv").write_text("lies"),
    "a file in the scratch directory": lambda scene: (scene["scratch"] / "new").touch(),
    "the names in the scratch directory": lambda scene: os.listdir(scene["scratch"]),  # noqa: PTH208
    "reading a secret": lambda scene: read(scene["elsewhere"] / "secret"),
    "the names in the root directory": lambda _: os.listdir("/"),  # noqa: PTH208
    "the names in the working directory": lambda _: os.listdir(),  # noqa: PTH208
    "who has an account": lambda _: read("/etc/passwd"),
    "the environment of its parent": lambda scene: read(f"/proc/{scene['parent']}/environ"),
    "removing": lambda scene: (scene["elsewhere"] / "there").unlink(),
    "renaming": lambda scene: (scene["elsewhere"] / "there").rename(scene["elsewhere"] / "new"),
    # Files of its own
    "changing the original": lambda scene: scene["original"].write_bytes(b"another"),
    "one more file": lambda scene: scene["new"].touch(),
    "a file without a name": lambda scene: os.open(scene["own"], os.O_TMPFILE | os.O_RDWR),
    "a directory": lambda scene: scene["new"].mkdir(),
    "a symbolic link": lambda scene: scene["new"].symlink_to("/proc/self/environ"),
    "a hard link": lambda scene: scene["new"].hardlink_to(scene["elsewhere"] / "secret"),
    "a pipe": lambda scene: os.mkfifo(scene["new"]),
    "the socket file of a server": lambda scene: os.mknod(scene["new"], 0o600 | stat.S_IFSOCK),
    "removing a result": lambda scene: replaced(scene["own"] / "pages.tsv"),
    "memory by /dev/shm": lambda _: memory_by(lambda: os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR)),  # noqa: S108
}
SECCOMP: dict[str, Deed] = {
    # The network, and other processes by it
    "a socket": lambda _: socket.socket(),
    "a netlink socket": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "a pair of sockets": lambda _: socket.socketpair(),
    "a datagram to another process": lambda scene: datagram(scene["socket"]),
    "a datagram to an abstract socket": lambda scene: datagram(b"\0" + scene["abstract"].encode()),
    "a ring of system calls": lambda _: tried(lambda: call("syscall", 425, 0, None)),
    # Other processes
    "another process": lambda _: forked(),
    "a thread": lambda _: thread(),
    "a program": lambda _: tried(lambda: os.execv("/nowhere", ["nowhere"])),  # noqa: S606
    "a signal to its parent": lambda scene: os.kill(scene["parent"], 0),
    "a signal to its process group": lambda _: os.kill(0, 0),
    "killing by a descriptor's owner": lambda scene: signalled(scene["victim"]),
    "an owner for its pipe": lambda scene: fcntl.fcntl(own_pipe(), fcntl.F_SETOWN, scene["victim"]),
    "a handle on its parent": lambda scene: os.pidfd_open(scene["parent"]),
    "limits of its parent": lambda scene: resource.prlimit(scene["parent"], resource.RLIMIT_NOFILE),
    "the priority of its parent": lambda scene: os.setpriority(os.PRIO_PROCESS, scene["parent"], scene["nice"]),
    "the cores of its parent": lambda scene: os.sched_setaffinity(scene["parent"], scene["cores"]),
    "outliving its parent": lambda _: call("prctl", PR_SET_PDEATHSIG, 0, 0, 0, 0),
    "being looked into": lambda _: call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0),
    "namespaces of its own": lambda _: call("unshare", CLONE_NEWUSER),
    "a mount": lambda _: tried(lambda: call("mount", b"none", b"/nowhere", b"tmpfs", 0, None)),
    # Files
    "truncating": lambda scene: os.truncate(scene["elsewhere"] / "there", 0),
    "truncating what may be read": lambda scene: os.open(scene["original"], os.O_RDONLY | os.O_TRUNC),
    "changing a mode": lambda scene: (scene["elsewhere"] / "there").chmod(0o777),
    "changing an owner": lambda scene: os.chown(scene["elsewhere"] / "there", os.getuid(), os.getgid()),
    "changing times": lambda scene: os.utime(scene["elsewhere"] / "there", (1, 1)),
    "an attribute": lambda scene: os.setxattr(scene["elsewhere"] / "there", "user.quire", b"1"),
    "a lock": lambda scene: locked(scene["original"]),
    # Memory and code
    "memory by memfd_create": lambda _: memory_by(lambda: os.memfd_create("more")),
    "higher limits": lambda _: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    "code made while it runs": lambda _: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
}
RLIMITS: dict[str, Deed] = {
    "more memory": lambda _: len(bytearray(2 * MEMORY)),
    "a large file": lambda scene: large(scene["own"] / "pages.tsv"),
    "many open files": lambda scene: many_open(scene["original"]),
}
DEEDS = LANDLOCK | SECCOMP | RLIMITS
OBSERVATIONS: dict[str, Deed] = {
    "what it has open": lambda _: descriptors(),
    "the size of core dumps": lambda _: resource.getrlimit(resource.RLIMIT_CORE),
    "its environment": lambda _: dict(os.environ),
    "loading": lambda _: unloadable(),
    "forging": lambda _: forge(),
    "spinning": lambda scene: spin(scene["own"] / "pages.tsv"),
    "the memory of the process that forked it": lambda scene: os.open(f"/proc/{scene['forkserver']}/mem", os.O_RDWR),
}
