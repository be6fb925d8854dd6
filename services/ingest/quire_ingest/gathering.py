"""Gathers files into batches, in the order in which they are received."""

from quire_schemas.events import FileSpec
from quire_schemas.retry import fits, record_bytes


class Gatherer:
    """Gathers files into batches.

    A batch is closed when it has `size` files, or when one more would make its record pass 64 KiB.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._files: list[FileSpec] = []
        self._bytes = 0

    def add(self, file: FileSpec) -> tuple[FileSpec, ...]:
        """Adds a file. Returns the files of the batch that it closes; an empty tuple where it closes none.

        The file closes a batch as its last file, or because it does not fit in; in that case it begins the next batch.
        """
        closed = () if not self._files or fits(self._bytes, file) else self.rest()
        self._files.append(file)
        self._bytes += record_bytes(file)
        return self.rest() if len(self._files) == self._size else closed

    def rest(self) -> tuple[FileSpec, ...]:
        """Returns the files of the batch that is begun, and begins a new one; an empty tuple where none is begun."""
        files, self._files, self._bytes = tuple(self._files), [], 0
        return files
