"""What holds for all tests."""

import os

from hypothesis import settings
from tests.integration.images import images

# No deadline: a machine under load is no failure. In CI the same examples each time, so that red means a change.
settings.register_profile("quire", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "quire")


def pytest_report_header() -> str:
    what = "testcontainers" if images() else "the embedded stack (there is no Docker with the images here)"
    return f"integration tests run on: {what}"
