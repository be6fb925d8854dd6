"""The page under QUIRE_AUTH=jwt: no token, one that will not do, one that expires; links that have expired."""

from __future__ import annotations

import re
import zipfile
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Route, expect
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.integration.test_access import SECRET, bearer, token
from tests.page.browser import Browser, Visit, visiting
from tests.page.conftest import PDFS
from tests.samples_pdf import simple_pdf

pytestmark = pytest.mark.page


@pytest.fixture(scope="module")
async def closed(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack, settings={"QUIRE_AUTH": "jwt", "QUIRE_AUTH_SECRET": SECRET}) as client:
        yield client


@pytest.fixture
async def entering(browser: Browser, closed: Client) -> AsyncIterator[Visit]:
    async with visiting(browser, closed.quire.notifier_url) as visit:
        await visit.open("/collections/mine")
        yield visit


async def use(visit: Visit, value: str, *, keep: bool = False) -> None:
    await visit.page.locator("input[type=password]").fill(value)
    if keep:
        await visit.page.get_by_label("Keep it on this device").check()
    await visit.button("Use it").last.click()


async def test_the_token_is_explained_and_kept_as_long_as_wished(entering: Visit, browser: Browser, closed: Client) -> None:
    visit = entering
    await expect(visit.page.get_by_role("heading", name="This Quire asks for a token")).to_be_visible()
    await visit.page.locator("input[type=password]").fill("garbage")
    await expect(visit.page.get_by_text("That is not a token")).to_be_visible()
    await visit.page.locator("input[type=password]").fill(token(seconds=-60))
    await expect(visit.page.get_by_text("This token expired")).to_be_visible()
    await use(visit, token(), keep=True)
    await visit.live()
    other = await visit.page.context.new_page()
    await other.goto(f"{visit.url}/collections/mine")
    await expect(other.locator(".top .pill")).to_have_text("Live")
    await other.keyboard.press("?")
    await other.get_by_role("dialog").get_by_role("button", name="Token").click()
    await expect(other.get_by_role("dialog")).to_contain_text("upload, cancel and retry")
    await expect(other.get_by_role("dialog")).to_contain_text("mine")


async def test_another_ones_collection_is_said_to_be_so(entering: Visit) -> None:
    await use(entering, token(collections=["theirs"]))
    await expect(entering.page.get_by_role("alert")).to_contain_text("This token does not open the collection mine.")


async def test_who_may_only_read_is_told_so_when_uploading(entering: Visit) -> None:
    await use(entering, token(scope="quire:read"))
    await entering.live()
    await entering.choose(PDFS / "Receipt.pdf")
    await expect(entering.page.locator(".sending [role=alert]")).to_be_visible()


async def test_a_token_that_expires_is_renewed_where_one_is(entering: Visit) -> None:
    await use(entering, token(seconds=5))
    await entering.live()
    await expect(entering.page.locator(".top .pill")).to_contain_text("Token expired")
    await expect(entering.page.get_by_role("alert")).to_contain_text("This token expired")
    await entering.button("renew").click()
    await use(entering, token())
    await entering.live()


async def test_links_are_fresh_when_they_are_clicked(entering: Visit, closed: Client) -> None:
    """The list's own links have expired: their signatures are spoilt on the way."""
    answer = await closed.http.post(
        f"{closed.quire.ingest_url}/api/documents/process?collection_id=mine",
        headers=bearer(token()),
        files=[("f", ("Old ledger.pdf", simple_pdf("Old ledger")))],
    )
    assert answer.status_code == 202

    async def spoil(route: Route) -> None:
        listed = await route.fetch()
        await route.fulfill(response=listed, body=(await listed.text()).replace("expires=", "expires=1"))

    await entering.page.route(re.compile(r"/api/files\?"), spoil)
    await use(entering, token())
    row = entering.row("Old ledger.pdf")
    await expect(row).to_contain_text("Done")
    got: list[tuple[str, int]] = []
    entering.page.context.on("response", lambda response: got.append((response.url, response.status)))
    async with entering.page.expect_popup() as opened:
        await row.get_by_role("button", name="PDF of Old ledger.pdf").click()
    await opened.value
    async with entering.page.expect_download() as download:
        await row.get_by_role("button", name="Text of Old ledger.pdf").click()
    assert (await download.value).suggested_filename == "Old ledger.txt"
    ours = [(url.split("?")[0].rpartition("/")[2], status) for url, status in got if "/api/files/" in url]
    asked = {what: status for what, status in ours if what in {"original", "text"}}
    assert asked == {"original": 200, "text": 200}


async def test_an_upload_is_taken_out_by_a_signed_link(entering: Visit, closed: Client) -> None:
    """A browser sends no token with a download."""
    answer = await closed.http.post(
        f"{closed.quire.ingest_url}/api/documents/process?collection_id=mine",
        headers=bearer(token()),
        files=[("f", ("To be taken.pdf", simple_pdf("To be taken")))],
    )
    await use(entering, token())
    await entering.live()
    await entering.open(f"/uploads/{answer.json()['request_id']}")
    await expect(entering.row("To be taken.pdf")).to_contain_text("Done")
    await entering.button("Download").click()
    async with entering.page.expect_download() as download:
        await entering.page.get_by_role("menuitem", name="The PDFs").click()
    with zipfile.ZipFile(await (await download.value).path()) as archive:
        assert archive.namelist() == ["To be taken.pdf"]
