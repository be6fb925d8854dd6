"""What is asked of kernels of different age: more than a kernel knows, it refuses."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from quire_processor import landlock

WRITE_FILE, READ_FILE, READ_DIR, REFER, TRUNCATE, IOCTL_DEV = 1 << 1, 1 << 2, 1 << 3, 1 << 13, 1 << 14, 1 << 15
OF_ABI_1 = (1 << 13) - 1


@pytest.mark.parametrize(
    ("abi", "handled"),  # rights over files, over TCP, and scopes
    [
        (1, (OF_ABI_1, 0, 0)),
        (2, (OF_ABI_1 | REFER, 0, 0)),
        (3, (OF_ABI_1 | REFER | TRUNCATE, 0, 0)),
        (4, (OF_ABI_1 | REFER | TRUNCATE, 3, 0)),
        (5, (OF_ABI_1 | REFER | TRUNCATE | IOCTL_DEV, 3, 0)),
        (6, (OF_ABI_1 | REFER | TRUNCATE | IOCTL_DEV, 3, 3)),
        (99, (OF_ABI_1 | REFER | TRUNCATE | IOCTL_DEV, 3, 3)),
    ],
)
def test_a_kernel_is_asked_for_what_it_knows(
    abi: int, handled: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(abi)
    monkeypatch.setattr(landlock, "call", kernel)
    (tmp_path / "result").touch()
    landlock.restrict([tmp_path, tmp_path / "not there"], [tmp_path / "result"])
    assert kernel.handled == handled
    assert kernel.rules == [READ_FILE | READ_DIR, handled[0] & (READ_FILE | WRITE_FILE | TRUNCATE)]
    assert kernel.restricted


class Kernel:
    """Stands for the kernel; real ones are younger than most of these."""

    def __init__(self, abi: int) -> None:
        self.abi = abi
        self.handled: tuple[int, ...] = ()
        self.rules: list[int] = []
        self.restricted = False

    def __call__(self, _function: str, number: int, *arguments: Any) -> int:
        match number, arguments:
            case 444, (None, 0, 1):
                return self.abi
            case 444, (bytes() as attributes, 24, 0):
                self.handled = struct.unpack("=QQQ", attributes)
                return os.open(os.devnull, os.O_RDONLY)
            case 445, (_, 1, bytes() as rule, 0):
                self.rules.append(struct.unpack("=Qi", rule)[0])
                return 0
            case 446, (_, 0):
                self.restricted = True
                return 0
        raise AssertionError((number, arguments))
