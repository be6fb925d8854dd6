"""The processes of a stack that serve. Processors and notifier have a guardian, which is their parent and does nothing."""

from collections.abc import Mapping
from typing import Any

import psutil


def serving(stack: Mapping[str, Any], part: str) -> psutil.Process:
    """The process of a part, by its name in stack.json."""
    process = psutil.Process(stack["pids"][part])
    return process.children()[0] if part == "notifier" or part.startswith("processor-") else process
