"""The check of released schemas lets optional fields pass and nothing else."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from tests.schemas.compatibility import breaks

from quire_schemas.json_schemas import schemas

Schema = dict[str, Any]
OLD = schemas()["events/quire.batch.created.v1"]


def lose_a_field(schema: Schema) -> None:
    del schema["properties"]["policy"]


def require_a_field_more(schema: Schema) -> None:
    schema["required"].append("policy")


def add_a_required_field(schema: Schema) -> None:
    schema["properties"]["priority"] = {"type": "integer"}
    schema["required"].append("priority")


def require_a_field_less(schema: Schema) -> None:
    schema["required"].remove("files")


def change_a_type(schema: Schema) -> None:
    schema["$defs"]["FileSpec"]["properties"]["size"]["type"] = "string"


def add_a_value(schema: Schema) -> None:
    schema["properties"]["policy"]["enum"].append("best_effort")


def lower_a_limit(schema: Schema) -> None:
    schema["properties"]["files"]["maxItems"] = 10


def lose_a_definition(schema: Schema) -> None:
    del schema["$defs"]["FileSpec"]


def refuse_unknown_fields(schema: Schema) -> None:
    schema["additionalProperties"] = False


@pytest.mark.parametrize(
    "change",
    [
        lose_a_field,
        require_a_field_more,
        add_a_required_field,
        require_a_field_less,
        change_a_type,
        add_a_value,
        lower_a_limit,
        lose_a_definition,
        refuse_unknown_fields,
    ],
)
def test_every_other_change_breaks(change: Callable[[Schema], None]):
    new = deepcopy(OLD)
    change(new)
    assert breaks(OLD, new)


def test_an_optional_field_a_definition_and_other_words_do_not_break():
    new = deepcopy(OLD)
    new["properties"]["priority"] = {"type": "integer", "default": 0}
    new["$defs"]["FileSpec"]["properties"]["colour"] = {"$ref": "#/$defs/Colour"}
    new["$defs"]["Colour"] = {"enum": ["blue"]}
    new["description"] = "In other words."
    new["properties"]["files"]["description"] = "All of them."
    assert breaks(OLD, new) == []
