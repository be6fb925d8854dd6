"""Makes the page of the HTTP APIs from the OpenAPI documents of both services."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from quire_schemas.reference.html import Page, code, example, fields, heading, link, listed, page, prose, tag
from quire_schemas.reference.types import field, schemas, struct, type_of

_PROBLEM = "application/problem+json"
_PAGE = Page(
    "Quire over HTTP",
    "./",
    "docs/reference.css",
    ("docs/events", "Events and messages"),
    (("docs/openapi-ingest.json", "OpenAPI of ingest"), ("docs/openapi-notifier.json", "of the notifier")),
)


class Asked(NamedTuple):
    """One operation of a service."""

    service: str
    method: str
    path: str
    operation: dict[str, Any]

    @property
    def anchor(self) -> str:
        return f"{self.service}-{self.operation['operationId']}"

    @property
    def title(self) -> str:
        return f"{self.method.upper()} {self.path}"


def http_page(documents: dict[str, dict[str, Any]]) -> str:
    """Returns the page; `documents` holds the OpenAPI document of each service by the service's name."""
    asked = {name: list(_asked(name, document)) for name, document in documents.items()}
    navigation = "".join(
        tag("p", name, class_="group") + listed(link(f"#{one.anchor}", one.title) for one in each) for name, each in asked.items()
    ) + tag("p", link("#schemas", "Schemas"))
    sections = "".join(_service(name, documents[name], each) for name, each in asked.items())
    definitions = {key: schema for document in documents.values() for key, schema in document["components"]["schemas"].items()}
    return page(_PAGE, navigation, sections + heading(2, "schemas", "Schemas") + schemas(dict(sorted(definitions.items()))))


def _asked(service: str, document: dict[str, Any]) -> Iterator[Asked]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield Asked(service, method, path, operation)


def _service(name: str, document: dict[str, Any], asked: list[Asked]) -> str:
    server = document["servers"][0]
    head = heading(2, name, document["info"]["title"]) + tag("p", prose(document["info"]["description"]))
    where = tag("p", f"{code(server['url'])} {prose(server['description'])}")
    examples = document["components"]["examples"]
    return head + where + "\n".join(_operation(one, examples) for one in asked)


def _operation(one: Asked, examples: dict[str, Any]) -> str:
    operation = one.operation
    parts = [
        heading(3, one.anchor, code(one.title)),
        tag("p", prose(operation["summary"])),
        tag("p", prose(operation["description"])) if "description" in operation else "",
        tag("p", "No token is needed.", class_="note") if operation["security"] == [] else "",
        _group("Parameters", fields(_parameters(operation))),
        _group("Body", _body(operation)),
        _group("Answers", fields(_answers(operation))),
        _examples(operation),
        _group("Problems", fields(_problems(operation, examples))),
    ]
    return tag("section", "\n".join(part for part in parts if part))


def _group(title: str, content: str) -> str:
    return tag("h4", title) + content if content else ""


def _parameters(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for each in operation.get("parameters", ()):
        where = {"query": "", "path": " in the path", "header": " header"}[each["in"]]
        yield code(each["name"]) + where, field(each["schema"], required=each["required"], description=each["description"])


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return fields((code(media), _shape(of["schema"])) for media, of in content.items())


def _shape(schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        return type_of(schema)
    return struct(schema)


def _answers(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for status, answer in operation["responses"].items():
        if _PROBLEM not in answer.get("content", {}):
            media = "; ".join(
                code(name) + (f" {type_of(of['schema'])}" if "schema" in of else "")
                for name, of in answer.get("content", {}).items()
            )
            yield code(status), tag("p", prose(answer["description"])) + media


def _examples(operation: dict[str, Any]) -> str:
    contents = [content for answer in operation["responses"].values() for content in answer.get("content", {}).values()]
    return "".join(example("Example", content["example"]) for content in contents if "example" in content)


def _problems(operation: dict[str, Any], examples: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for status, answer in operation["responses"].items():
        for name in answer.get("content", {}).get(_PROBLEM, {}).get("examples", {}):
            yield f"{code(status)} {code(name)}", prose(examples[name]["value"]["detail"])
