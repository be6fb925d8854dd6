"""Makes glibc give the process's memory back to the system.

After the first freed segment, glibc keeps blocks of up to 32 MiB in its heap, which cannot shrink while small blocks lie above
them. Measured with 30 uploads at once: a peak of 194 MB, and 179 MB kept. With large blocks mapped by themselves: 157 MB, and
111 MB kept.
"""

import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # malloc.h of glibc
_LARGE = 1024 * 1024


def return_large_blocks() -> None:
    """Makes blocks of 1 MiB and more go back to the system when they are freed, from now on. Does nothing without glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
