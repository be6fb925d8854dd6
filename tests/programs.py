"""Programs that a test starts: their output line by line, and settings of services whose servers nobody is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

NOBODY = "127.0.0.1:9"
NO_SERVERS = {
    "QUIRE_KAFKA_BOOTSTRAP": NOBODY,
    "QUIRE_POSTGRES_DSN": f"postgresql://nobody@{NOBODY}/nothing",
    "QUIRE_S3_ENDPOINT": f"http://{NOBODY}",
    "QUIRE_S3_ACCESS_KEY": "none",
    "QUIRE_S3_SECRET_KEY": "none",
}


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Killed at the end of the block."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
