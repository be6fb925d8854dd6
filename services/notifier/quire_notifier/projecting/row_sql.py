"""The columns of `batch` and `file_metadata` as SQL, from the fields of BatchRow and FileRow. Statements may contain these parts:

| `{batch}`, `{file}` | the columns to select from `batch AS b` or `file_metadata AS f`, to make a BatchRow or FileRow of them |
| `{batch.names}` | the names of the columns |
| `{batch.arrays}` | the parameters from $2 on, one array for each column |
| `{batch.changes}` | assignments from `excluded` to the columns that may change |
"""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from quire_notifier.projecting.rows import BatchRow, FileRow
from quire_runtime.statements import statements

_FIRST_PARAMETER = 2
_KEPT: dict[type[BatchRow | FileRow], set[str]] = {
    BatchRow: {"batch_id", "collection_id", "request_id", "policy", "total", "created_at"},
    FileRow: {"id", "collection_id", "original_filename", "file_size", "batch_id", "created_at", "sha256", "object_key"}
    | {"path", "position"},
}
"""Columns that keep the value that was written first."""
_TYPES: dict[Any, str] = {str: "text", int: "integer", bool: "boolean", datetime: "timestamptz", Literal: "text"}


def row_statements(package: str, name: str) -> dict[str, str]:
    """Returns the statements of a file, as `quire_runtime.statements.statements` does, with the columns filled in."""
    return {key: _filled(statement) for key, statement in statements(package, name).items()}


def column_types(row: type[BatchRow | FileRow]) -> dict[str, str]:
    """Returns the Postgres type of each column, in the order of the row."""
    return {column: _type(hint) for column, hint in get_type_hints(row, include_extras=True).items()}


def _type(hint: Any) -> str:
    kind, *_ = (each for each in (hint, *get_args(hint)) if each in _TYPES or get_origin(each) in (Annotated, Literal))
    if get_origin(kind) is Annotated:
        return str(kind.__metadata__[0])
    return _TYPES[get_origin(kind) or kind]


def _parts(table: str, alias: str, row: type[BatchRow | FileRow]) -> dict[str, str]:
    types = column_types(row)
    selected = (f"{alias}.{column}" + ("::text" if kind == "uuid" else "") for column, kind in types.items())
    arrays = (f"${number}::{kind}[]" for number, kind in enumerate(types.values(), _FIRST_PARAMETER))
    return {
        f"{{{table}}}": ", ".join(selected),
        f"{{{table}.names}}": ", ".join(types),
        f"{{{table}.arrays}}": ", ".join(arrays),
        f"{{{table}.changes}}": ", ".join(f"{column} = excluded.{column}" for column in types if column not in _KEPT[row]),
    }


_PARTS = _parts("batch", "b", BatchRow) | _parts("file", "f", FileRow)


def _filled(statement: str) -> str:
    for part, sql in _PARTS.items():
        statement = statement.replace(part, sql)
    return statement
