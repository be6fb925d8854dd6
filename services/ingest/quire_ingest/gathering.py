"""Files into batches, in the order received."""

from quire_schemas.events import FileSpec
from quire_schemas.retry import fits, record_bytes


class Gatherer:
    """Closes a batch when it holds `size` files, or when its record would pass 64 KiB with one more."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._files: list[FileSpec] = []
        self._bytes = 0

    def add(self, file: FileSpec) -> tuple[FileSpec, ...]:
        """The batch that this file closes, if any: as its last, or because it does not fit any more and opens the next one."""
        closed = () if not self._files or fits(self._bytes, file) else self.rest()
        self._files.append(file)
        self._bytes += record_bytes(file)
        return self.rest() if len(self._files) == self._size else closed

    def rest(self) -> tuple[FileSpec, ...]:
        """The batch begun, as it is; empty if there is none."""
        files, self._files, self._bytes = tuple(self._files), [], 0
        return files
