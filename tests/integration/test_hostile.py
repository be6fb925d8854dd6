"""Files made to do harm: each ends with an honest outcome, and the files beside them do not notice."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import psutil
import pytest
from tests import samples_pdf as make
from tests.integration.client import Client, serving
from tests.integration.stack import Stack

LIMITS = {"QUIRE_WALL_LIMIT_SECONDS": "8", "QUIRE_CPU_LIMIT_SECONDS": "4"}
BEYOND_REPAIR = {"corrupt", "timeout", "out_of_memory", "worker_crashed"}
HOSTILE = {
    "bomb.pdf": (make.bomb_pdf, BEYOND_REPAIR | {None}),
    "deep page tree.pdf": (make.deep_page_tree_pdf, BEYOND_REPAIR | {None}),
    "cyclic.pdf": (make.cyclic_pdf, {"corrupt", None}),
    "many objects.pdf": (make.many_objects_pdf, BEYOND_REPAIR | {None}),
    "huge page.pdf": (make.huge_page_pdf, {None, "corrupt"}),
    "giant metadata.pdf": (make.giant_metadata_pdf, {None}),
    "100,000 pages.pdf": (make.many_pages_pdf, {"too_many_pages"}),
    "nul and surrogates.pdf": (make.nul_and_surrogate_pdf, {None}),
}
NAMES = [
    "../../x.pdf",
    "a\u202efdp.exe.pdf",
    f"{'n' * 300}.pdf",
    "nul\x00in.pdf",
    "-rf.pdf",
    "%2e%2e%2f.pdf",
    '"quoted"\\.pdf',
    "名前.pdf",
]


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack, settings=LIMITS) as one:
        yield one


async def test_hostile_files_end_honestly_and_healthy_ones_beside_them_are_processed(client: Client) -> None:
    parent = psutil.Process(client.quire.pids["processor-1"])
    files = [(name, made()) for name, (made, _) in HOSTILE.items()]
    files += [(f"healthy {number}.pdf", make.simple_pdf(f"{number}")) for number in range(17)]
    await client.ended((await client.accepted([("warm up.pdf", make.simple_pdf())]))[0])
    before = parent.memory_info().rss
    [batch_id] = await client.accepted(files)
    batch = await client.ended(batch_id)
    codes = {file["original_filename"]: file["error_code"] for file in batch["files"]}
    assert {name: code for name, code in codes.items() if name in HOSTILE and code not in HOSTILE[name][1]} == {}
    assert {codes[f"healthy {number}.pdf"] for number in range(17)} == {None}
    assert batch["attempt"] == 1
    assert parent.memory_info().rss - before < 30_000_000


async def test_what_is_in_a_title_or_text_comes_out_clean(client: Client) -> None:
    [batch_id] = await client.accepted([("a.pdf", make.nul_and_surrogate_pdf()), ("b.pdf", make.giant_metadata_pdf())])
    first, second = (await client.ended(batch_id))["files"]
    assert "\x00" not in (first["title"] or "")
    assert len(second["title"].encode()) <= 1024
    text = await client.http.get(f"{client.quire.notifier_url}/{first['links']['text']}")
    [page] = text.json()["pages"]
    assert [letter for letter in page["text"] if letter in "xyz"] == list("xyz")
    assert "\x00" not in page["text"]
    assert first["title"] == "AB"


async def test_names_are_only_names(client: Client) -> None:
    [batch_id] = await client.accepted([(name, make.simple_pdf(f"{n}")) for n, name in enumerate(NAMES)])
    batch = await client.ended(batch_id)
    assert batch["processed"] == len(NAMES)
    names = [file["original_filename"] for file in batch["files"]]
    assert all("\x00" not in name and len(name.encode()) <= 255 and name.endswith(".pdf") for name in names)
    for file in batch["files"]:
        answer = await client.http.get(f"{client.quire.notifier_url}/{file['links']['original']}")
        assert answer.status_code == 200
        assert os.linesep not in answer.headers["content-disposition"]
    rows = await client.rows("SELECT object_key FROM notifier.file_metadata WHERE batch_id = $1", batch_id)
    assert all(".." not in row["object_key"] for row in rows)
