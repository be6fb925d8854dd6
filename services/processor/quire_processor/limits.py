"""What one file may cost."""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one file's extraction; `files_per_worker` is after how many a worker process is replaced."""

    memory_bytes: int = 1024**3
    cpu_seconds: float = 20.0
    wall_seconds: float = 40.0
    pages: int = 5_000
    characters: int = 20_000_000
    files_per_worker: int = 25
