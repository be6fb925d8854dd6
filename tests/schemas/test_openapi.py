"""The OpenAPI documents are valid, their examples fit, their codes are those of docs/api.md, and their pages lead everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from quire_schemas import generate
from quire_schemas.openapi.problems import PROBLEMS

API = Path(__file__).parents[2] / "docs" / "api.md"
FILES = generate.files()
DOCUMENTS = {name: json.loads(FILES[f"openapi-{name}.json"]) for name in ("ingest", "notifier")}
PAGES = ("http.html", "events.html")


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def contents(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operation in operations(document):
        for answer in operation["responses"].values():
            yield from answer.get("content", {}).values()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_openapi(name: str) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENTS[name]).iter_errors()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_example_of_an_answer_fits_its_schema(name: str) -> None:
    document = DOCUMENTS[name]
    resolving = {"components": document["components"]}
    checked = 0
    for content in contents(document):
        examples = [content["example"]] if "example" in content else []
        problems = [document["components"]["examples"][code]["value"] for code in content.get("examples", {})]
        for value in examples + problems:
            jsonschema.validate(value, {**content["schema"], **resolving})
            checked += 1
    assert checked > 50


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_answer_in_json_has_an_example(name: str) -> None:
    for operation in operations(DOCUMENTS[name]):
        if operation["operationId"] == "openapi":
            continue
        content = operation["responses"].get("200", operation["responses"].get("202"))["content"]
        assert "example" in content.get("application/json", {"example": ""}), operation["operationId"]


def test_every_code_is_of_some_operation_and_in_the_document_of_the_api() -> None:
    used = {code for document in DOCUMENTS.values() for content in contents(document) for code in content.get("examples", {})}
    assert set(PROBLEMS) <= used
    told = set(re.findall(r"`(\w+)`", API.read_text("utf-8")))
    assert {code for code in used if not code.startswith("invalid_")} <= told


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.levels: list[int] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.targets += [value for name, value in attrs if name in ("href", "src") and value]
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))


@pytest.mark.parametrize("page", PAGES)
def test_every_anchor_that_a_page_links_to_is_there_once(page: str) -> None:
    links = Links(FILES[page])
    assert len(links.ids) == len(set(links.ids))
    assert {target[1:] for target in links.targets if target.startswith("#")} <= set(links.ids)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_script_and_nothing_from_elsewhere(page: str) -> None:
    links = Links(FILES[page])
    assert not {"script", "style", "iframe", "img"} & links.tags
    assert [target for target in links.targets if "//" in target] == []
    assert not re.search(r"<[^>]+\s(style|on\w+)=", FILES[page])


@pytest.mark.parametrize("page", PAGES)
def test_the_headings_of_a_page_are_an_outline(page: str) -> None:
    levels = Links(FILES[page]).levels
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_pages_show_every_operation_and_every_message() -> None:
    shown = set(Links(FILES["http.html"]).ids)
    assert shown >= {
        f"{name}-{operation['operationId']}" for name, document in DOCUMENTS.items() for operation in operations(document)
    }
    assert set(Links(FILES["events.html"]).ids) >= set(json.loads(FILES["asyncapi.json"])["components"]["messages"])
