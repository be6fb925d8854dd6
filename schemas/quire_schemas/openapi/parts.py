"""The parts that describe an operation of an HTTP API, before `document` writes them as OpenAPI."""

from typing import Any, Literal, NamedTuple

from msgspec import Struct

from quire_schemas.json_schemas import Schema
from quire_schemas.openapi.problems import Problem

JSON = "application/json"


class Parameter(NamedTuple):
    """A parameter of an operation. msgspec makes the schema from `type`.

    With `refused`, a wrong value is answered with a 422 whose code is `invalid_` and the parameter's name.
    """

    name: str
    type: Any
    description: str
    where: Literal["query", "path", "header"] = "query"
    required: bool = False
    refused: bool = True
    example: Any = None


class Answer(NamedTuple):
    """A successful answer. `struct` is the struct of a JSON answer; `media` holds other media types, each with its schema.

    `lines` are the structs that a stream consists of. OpenAPI 3.1 cannot say so, but the document holds their schemas.
    """

    status: int
    description: str
    struct: Any = None
    example: Any = None
    media: dict[str, Schema] = {}  # noqa: RUF012 -- never changed
    headers: dict[str, str] = {}  # noqa: RUF012 -- likewise
    lines: tuple[type[Struct], ...] = ()


class Operation(NamedTuple):
    """An operation; `name` is its operationId. `codes` are the codes of its problems, without the codes that follow from its
    parameters; `refusal` is the struct of its problems.
    """

    path: str
    name: str
    tag: str
    summary: str
    answers: tuple[Answer, ...]
    codes: tuple[str, ...]
    description: str = ""
    method: Literal["get", "post"] = "get"
    parameters: tuple[Parameter, ...] = ()
    body: type[Struct] | None = None
    media_body: Schema | None = None
    refusal: type[Problem] = Problem
    open: bool = False
    """Whether the operation needs no token, whatever QUIRE_AUTH is."""

    def problem_codes(self) -> list[str]:
        """Returns the codes of all problems, also of wrong parameters, each once and sorted."""
        refused = {f"invalid_{each.name.lower().replace('-', '_')}" for each in self.parameters if each.refused}
        return sorted({*self.codes, *refused})


class Service(NamedTuple):
    """The HTTP API of one service."""

    name: str
    title: str
    description: str
    port: int
    operations: tuple[Operation, ...]
