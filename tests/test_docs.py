"""That the documents name what there is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from quire_schemas.events import STANDINGS, STATUSES, BatchCode, FileCode
from quire_schemas.openapi import ingest, notifier

ROOT = Path(__file__).parents[1]
CODE = re.compile(r'(?:Problem|problem|__init__)\(\s*\d{3},\s*"([a-z_]+)"|_refused\(state, "([a-z_]+)"|_error\(\s*"([a-z_]+)"')
DOCUMENTS = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))
REFERENCE = re.compile(r'(docs/\w+\.md),\s+"([^"]+)"')
OF_OLD = "DESIGN " + "§"
READ_BY_PEOPLE = {".py", ".md", ".js", ".mjs", ".ts", ".tsx", ".sql", ".yaml"}
OF_WEBSOCKETS = {"bad_message", "already_subscribed", "not_subscribed", "too_many_subscriptions"}
SAMPLES = [ROOT / "samples" / "integrate" / name for name in ("python/integrate.py", "java/Integrate.java", "go/main.go")]
STEP = re.compile(r"^\d+\. .+$", re.MULTILINE)


def test_every_code_of_an_answer_is_in_the_document_of_the_api() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "services").rglob("*.py")]
    codes = {code for source in sources for found in CODE.findall(source) for code in found if code}
    assert len(codes) > 30
    told = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "api.md").read_text("utf-8")))
    of_parameters = {code for code in codes if code.startswith("invalid_")}
    assert {*codes, *STATUSES, *STANDINGS, *get_args(FileCode), *get_args(BatchCode)} - of_parameters <= told


def test_every_code_of_an_answer_is_in_the_published_documents() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "services").rglob("*.py")]
    codes = {code for source in sources for found in CODE.findall(source) for code in found if code}
    services = (ingest.SERVICE, notifier.SERVICE)
    told = {code for service in services for operation in service.operations for code in operation.problem_codes()}
    assert codes - OF_WEBSOCKETS <= told


def test_every_reference_to_a_section_names_a_heading_that_exists() -> None:
    references = [(path, *found) for path in files() for found in REFERENCE.findall(path.read_text("utf-8"))]
    assert len(references) > 40
    for path, document, heading in references:
        assert heading in headings(document), f"{path.relative_to(ROOT)} points to {heading!r} of {document}"


def test_nothing_points_to_a_document_that_is_not_in_the_tree() -> None:
    assert [str(path.relative_to(ROOT)) for path in files() if OF_OLD in path.read_text("utf-8")] == []


def test_the_steps_of_a_record_stand_at_the_head_of_the_processor_as_in_the_design() -> None:
    head = (ROOT / "services/processor/quire_processor/processor.py").read_text("utf-8").split('"""')[1]
    section = (ROOT / "docs" / "design.md").read_text("utf-8").split("## Record in the processor")[1].split("\n## ")[0]
    assert STEP.findall(head) == STEP.findall(section) != []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    for target in re.findall(r"`((?:docs|schemas|services|samples|clients|tests|bench|deploy|requirements|cli)/[\w./-]*)`", text):
        assert (ROOT / target).exists(), f"{document.name} names {target}"
    for target in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (document.parent / target).exists(), f"{document.name} links {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_target_of_make_that_a_document_names_is_there(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


def test_the_code_of_integrate_is_that_of_the_samples_which_run() -> None:
    text = (ROOT / "docs" / "integrate.md").read_text("utf-8")
    samples = "\n".join(path.read_text("utf-8") for path in SAMPLES)
    there = [line.strip() for line in samples.splitlines()]
    snippets = re.findall(r"^```(?:python|java|go)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(snippets) == 7
    for snippet in snippets:
        lines = [line.strip() for line in snippet.splitlines()]
        assert any(there[at : at + len(lines)] == lines for at in range(len(there))), snippet


def test_make_lists_every_target_there_is() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    there, listed = (set(re.findall(target, text, re.MULTILINE)) for target in (r"^([a-z-]+):", r"^([a-z-]+):.*## "))
    assert there == listed == set(re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)[0].split())


def test_the_layout_in_the_readme_is_that_of_the_tree() -> None:
    layout = (ROOT / "README.md").read_text("utf-8").split("## Find your way")[1].split("```")[1]
    ignored = {line.strip("/\n") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()}
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} - ignored
    assert set(re.findall(r"^(\w+)/", layout, re.MULTILINE)) == there - {"__pycache__"}


@cache
def headings(document: str) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", (ROOT / document).read_text("utf-8"), re.MULTILINE))


def files() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in {"node_modules", "build"}]
        yield from (Path(folder, name) for name in names if Path(name).suffix in READ_BY_PEOPLE)
