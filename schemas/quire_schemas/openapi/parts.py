"""What an operation of an HTTP API consists of, before it is written down."""

from typing import Any, Literal, NamedTuple

from msgspec import Struct

from quire_schemas.json_schemas import Schema
from quire_schemas.openapi.problems import Problem

JSON = "application/json"


class Parameter(NamedTuple):
    """`type` is what msgspec makes a schema of. `refused`: a wrong one is a 422 of the code `invalid_` and its name."""

    name: str
    type: Any
    description: str
    where: Literal["query", "path", "header"] = "query"
    required: bool = False
    refused: bool = True
    example: Any = None


class Answer(NamedTuple):
    """A success. `struct` is that of a JSON answer; other media types stand in `media`, each with its schema. `lines` are
    structs that a stream consists of: OpenAPI 3.1 cannot say so, their schemas are there all the same.
    """

    status: int
    description: str
    struct: Any = None
    example: Any = None
    media: dict[str, Schema] = {}  # noqa: RUF012 -- never changed
    headers: dict[str, str] = {}  # noqa: RUF012 -- likewise
    lines: tuple[type[Struct], ...] = ()


class Operation(NamedTuple):
    """`name` is the operationId. `codes` are those of its problems, besides those that follow from its parameters; `refusal` is
    the struct that they are told in.
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
    """No token is needed, whatever QUIRE_AUTH says."""

    def problem_codes(self) -> list[str]:
        """Each once, sorted."""
        refused = {f"invalid_{each.name.lower().replace('-', '_')}" for each in self.parameters if each.refused}
        return sorted({*self.codes, *refused})


class Service(NamedTuple):
    """One HTTP API."""

    name: str
    title: str
    description: str
    port: int
    operations: tuple[Operation, ...]
