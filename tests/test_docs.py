"""That the documents name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from quire_schemas.events import STANDINGS, STATUSES, BatchCode, FileCode

ROOT = Path(__file__).parents[1]
CODE = re.compile(r'(?:Problem|problem|__init__)\(\s*\d{3},\s*"([a-z_]+)"|_refused\(state, "([a-z_]+)"|_error\(\s*"([a-z_]+)"')


def test_every_code_of_an_answer_is_in_the_document_of_the_api() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "services").rglob("*.py")]
    codes = {code for source in sources for found in CODE.findall(source) for code in found if code}
    assert len(codes) > 30
    told = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "api.md").read_text("utf-8")))
    of_parameters = {code for code in codes if code.startswith("invalid_")}
    assert {*codes, *STATUSES, *STANDINGS, *get_args(FileCode), *get_args(BatchCode)} - of_parameters <= told


def test_every_link_between_documents_leads_somewhere() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(
            r"`((?:docs|schemas|services|samples|clients|tests|bench|deploy)/[\w./-]*)`", document.read_text("utf-8")
        ):
            assert (ROOT / target).exists(), f"{document.name} names {target}"
