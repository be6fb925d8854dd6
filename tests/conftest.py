"""What holds for all tests."""

import os

import pytest
from hypothesis import settings
from tests.integration.images import images

# No deadline: a machine under load is no failure. In CI the same examples each time, so that red means a change.
settings.register_profile("quire", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "quire")

# A size that pytest-xdist tells its processes, and which would hold for the terminals that tests open.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long goes first, so that no process waits for another one at the end."""
    slow = ("integration", "chaos", "local")
    items.sort(key=lambda item: item.path.parent.name not in slow)


def pytest_report_header() -> str:
    what = "testcontainers" if images() else "the embedded stack (there is no Docker with the images here)"
    return f"integration tests run on: {what}"
