"""One browser and one Quire for all tests of the page; those that take something away have a Quire of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.integration.client import Client, serving
from tests.integration.conftest import stack
from tests.integration.stack import Stack
from tests.page.browser import Browser, Visit, browsing, visiting
from tests.samples_pdf import simple_pdf, slow_pdf

__all__ = ["stack"]

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]
TEST_SECONDS = 300
PDFS = Path(__file__).parents[2] / "samples" / "pdfs"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser, and what it waits for, may take longer than a test has elsewhere."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as one:
        yield one


@pytest.fixture(scope="session")
async def client(browser: Browser, stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack) as one:
        yield one


@pytest.fixture
async def visit(browser: Browser, client: Client) -> AsyncIterator[Visit]:
    """A page of the common Quire. At the end nothing stands in its console."""
    async with visiting(browser, client.quire.notifier_url) as one:
        yield one
        assert one.wrong == []


@pytest.fixture
def collection() -> str:
    return f"c{uuid4().hex[:10]}"


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """A folder of so many PDFs; `slow` ones have so many pages."""

    def make(count: int, *, slow: int = 0, name: str = "scans", **more: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for number in range(count):
            content = slow_pdf(f"{name} {number}", slow) if slow else simple_pdf(f"{name} {number}", **more)
            (folder / f"{name}-{number:04}.pdf").write_bytes(content)
        return folder

    return make
