"""The limits of time, memory and size for one file."""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one file's extraction.

    After `cpu_seconds` of its own computing, a worker stops reading and keeps the pages that it has; after twice as many, it is
    killed. A worker that has neither computed nor come further for `wall_seconds` is killed, too. The first page's picture may
    take `picture_seconds` of computing more; no picture is drawn where `pictures` is False. A worker process is replaced after
    `files_per_worker` files, or once it has more than `kept_bytes` of memory after a file.
    """

    memory_bytes: int = 1024**3
    cpu_seconds: float = 20.0
    wall_seconds: float = 300.0
    picture_seconds: float = 5.0
    pages: int = 5_000
    pictures: bool = True
    characters: int = 20_000_000
    files_per_worker: int = 200
    kept_bytes: int = 192 * 1024**2

    @property
    def killed_after(self) -> float:
        """CPU seconds after which a worker is killed: it stops by itself earlier, at the end of a page, if it comes to one."""
        return 2 * self.cpu_seconds
