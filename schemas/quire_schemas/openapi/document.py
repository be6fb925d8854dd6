"""Writes operations as an OpenAPI 3.1 document. An answer always has all fields of a view that have a default: the defaults
are for readers of older answers.
"""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from quire_schemas import views
from quire_schemas.json_schemas import Schema, components
from quire_schemas.openapi.parts import JSON, Answer, Operation, Parameter, Service
from quire_schemas.openapi.problems import Problem, kind_of

REFERENCE = "#/components/schemas/{name}"
PROBLEM = "application/problem+json"
_RETRY = {"Retry-After": {"description": "Seconds to wait before the next attempt.", "schema": {"type": "string"}}}
_ASK = {"WWW-Authenticate": {"description": "The kind of token that is needed.", "schema": {"type": "string"}}}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": (
        "Needed if QUIRE_AUTH is jwt. The claim `scope` lists quire:read and quire:write, the claim `collections` lists names of "
        "collections, or prefixes that end in an asterisk."
    ),
}


def document(service: Service) -> dict[str, Any]:
    types = list(dict.fromkeys(type_ for operation in service.operations for type_ in _types(operation)))
    references, definitions = components(types, REFERENCE)
    known = dict(zip(types, references, strict=True))
    paths: dict[str, Any] = {}
    for operation in service.operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": service.title,
            "version": version("quire-schemas"),
            "description": service.description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"http://127.0.0.1:{service.port}", "description": "The address of the local stack."}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in service.operations)],
        "paths": paths,
        "components": {
            "schemas": {name: _whole(name, schema) for name, schema in definitions.items()},
            "examples": {code: {"value": _told(code)} for code in _codes(service)},
            "securitySchemes": {"bearer": _BEARER},
        },
    }


def _codes(service: Service) -> list[str]:
    return sorted({code for operation in service.operations for code in operation.problem_codes()})


def _types(operation: Operation) -> list[Any]:
    answered = [answer.struct for answer in operation.answers if answer.struct is not None]
    asked = [] if operation.body is None else [operation.body]
    lines = [line for answer in operation.answers for line in answer.lines]
    return [*answered, *lines, *asked, operation.refusal]


def _whole(name: str, schema: Schema) -> Schema:
    """Returns the schema of a view in which fields with a default are required and have no default. A page is a view, too:
    `Page_FileView_`. Other schemas are returned as they are.
    """
    if not hasattr(views, name.partition("_")[0]):
        return schema
    given = [field for field, of in schema["properties"].items() if "default" in of or field in schema.get("required", ())]
    bare = {field: {key: of[key] for key in of if key != "default"} for field, of in schema["properties"].items()}
    return {**schema, "properties": bare, "required": given}


def _operation(operation: Operation, known: dict[Any, Schema]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [_parameter(each) for each in operation.parameters],
        "requestBody": _body(operation, known),
        "responses": dict(sorted({**_successes(operation, known), **_problems(operation, known[operation.refusal])}.items())),
        "security": [] if operation.open else [{"bearer": []}, {}],
    }
    return {key: value for key, value in written.items() if key == "security" or value}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.description,
        "schema": msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(parameter.type))),
    }
    return written if parameter.example is None else {**written, "example": parameter.example}


def _body(operation: Operation, known: dict[Any, Schema]) -> dict[str, Any]:
    if operation.media_body is not None:
        return {"required": True, "content": operation.media_body}
    return {} if operation.body is None else {"required": False, "content": {JSON: {"schema": known[operation.body]}}}


def _successes(operation: Operation, known: dict[Any, Schema]) -> dict[str, Any]:
    return {str(answer.status): _success(answer, known) for answer in operation.answers}


def _success(answer: Answer, known: dict[Any, Schema]) -> dict[str, Any]:
    content: dict[str, Any] = {media: {"schema": schema} if schema else {} for media, schema in answer.media.items()}
    if answer.struct is not None:
        content[JSON] = {"schema": known[answer.struct]}
    if answer.example is not None:
        content[JSON]["example"] = msgspec.json.decode(msgspec.json.encode(answer.example))
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()}
    return (
        {"description": answer.description}
        | ({"headers": headers} if headers else {})
        | ({"content": content} if content else {})
    )


def _problems(operation: Operation, refusal: Schema) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in operation.problem_codes():
        by_status.setdefault(kind_of(code).status, []).append(code)
    return {str(status): _refused(status, codes, refusal) for status, codes in by_status.items()}


def _refused(status: int, codes: list[str], refusal: Schema) -> dict[str, Any]:
    schema = {"allOf": [refusal, {"properties": {"status": {"const": status}, "code": {"enum": codes}}}]}
    headers = _RETRY if any(kind_of(code).retried for code in codes) else _ASK if status == HTTPStatus.UNAUTHORIZED else {}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    told = {"description": f"{', '.join(codes)}.", "content": {PROBLEM: {"schema": schema, "examples": examples}}}
    return {**told, "headers": headers} if headers else told


def _told(code: str) -> Any:
    status, detail, more, _ = kind_of(code)
    said = Problem(type="about:blank", title=HTTPStatus(status).phrase, status=status, code=code, detail=detail)
    return {**msgspec.to_builtins(said), **more}
