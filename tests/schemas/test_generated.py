"""The committed schemas are those of the structs, say what the codec does, and only ever gain optional fields."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from tests.schemas.compatibility import breaks

from quire_schemas import examples, generate
from quire_schemas.cloudevents import encode
from quire_schemas.events import TYPES, Event
from quire_schemas.json_schemas import CLIENT_MESSAGES, SERVER_MESSAGES, schemas
from quire_schemas.messages import (
    ClientMessage,
    ServerMessage,
    decode_client_message,
    decode_server_message,
    encode_message,
)
from quire_schemas.states import FOLD_VERSION

RELEASED = generate.GENERATED / "released"
PARSER = "@asyncapi/parser@3.6.3"
NODE_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "asyncapi-parser"
CHECK = Path(__file__).with_name("parse_asyncapi.mjs")


def _stored(directory: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(directory)): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(directory.rglob("*.json"))
        if directory == RELEASED or not (RELEASED in path.parents or _is_of_an_earlier_fold(path))
    }


def _is_of_an_earlier_fold(path: Path) -> bool:
    return path.parent.name == "states" and int(path.stem) < FOLD_VERSION


def test_what_is_committed_is_what_the_structs_say():
    generated = {name: json.loads(text) for name, text in generate.files().items() if name.endswith(".json")}
    assert _stored(generate.GENERATED) == generated, "run `python -m quire_schemas.generate` and commit what it writes"


def test_generating_writes_the_same_files_again(tmp_path: Path):
    generate.write(tmp_path)
    for name, text in generate.files().items():
        assert (tmp_path / name).read_text(encoding="utf-8") == text


def test_who_changes_the_fold_raises_its_version(tmp_path: Path):
    (tmp_path / "states").mkdir()
    (tmp_path / generate.FOLDED).write_text(generate.files()[generate.FOLDED].replace("suspected", "distrusted"))
    with pytest.raises(SystemExit, match="raise FOLD_VERSION"):
        generate.write(tmp_path)


def test_there_is_a_schema_of_every_event_and_of_every_message():
    names = {f"events/{name}" for name in TYPES} | {f"messages/{name}" for name in CLIENT_MESSAGES | SERVER_MESSAGES}
    assert schemas().keys() == names
    assert all(schema["description"] for schema in schemas().values())


@pytest.mark.parametrize(("name", "schema"), schemas().items(), ids=list(schemas()))
def test_a_schema_is_one_and_needs_no_other_file(name: str, schema: dict[str, Any]):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(name.partition("/")[2])
    assert json.dumps(schema).count('"$ref"') == json.dumps(schema).count('"$ref": "#/$defs/')


@pytest.mark.parametrize("event", examples.events(), ids=lambda event: event.type)
def test_a_record_matches_the_schema_of_its_type(event: Event):
    schema = schemas()[f"events/{event.type}"]
    value = json.loads(encode(event).value)
    jsonschema.validate(value, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema)


@pytest.mark.parametrize(
    "message", [*examples.client_messages(), *examples.server_messages()], ids=lambda said: type(said).__name__
)
def test_a_message_matches_its_schema_and_comes_back_as_it_was(message: ClientMessage | ServerMessage):
    text = encode_message(message)
    name = json.loads(text)["type"]
    jsonschema.validate(json.loads(text), schemas()[f"messages/{name}"])
    decode = decode_client_message if name in CLIENT_MESSAGES else decode_server_message
    assert decode(text) == message


def test_there_is_an_example_of_every_message():
    assert {type(message) for message in examples.client_messages()} == set(CLIENT_MESSAGES.values())
    assert {type(message) for message in examples.server_messages()} == set(SERVER_MESSAGES.values())


# What was released


RELEASED_SCHEMAS = _stored(RELEASED)


def test_something_was_released():
    assert {name.partition("/")[2] for name in RELEASED_SCHEMAS} >= {
        f"events/{name}.json" for name in TYPES if name.endswith(".v1")
    }


@pytest.mark.parametrize("name", RELEASED_SCHEMAS)
def test_a_released_schema_has_only_gained_optional_fields(name: str):
    version, _, path = name.partition("/")
    assert path.removesuffix(".json") in schemas(), f"{name} was released in {version} and is gone"
    assert breaks(RELEASED_SCHEMAS[name], schemas()[path.removesuffix(".json")]) == []


# AsyncAPI


def test_asyncapi_names_every_event_and_message_with_an_example():
    document = json.loads(generate.files()["asyncapi.json"])
    messages = document["components"]["messages"]
    assert messages.keys() == {*TYPES, *CLIENT_MESSAGES, *SERVER_MESSAGES}
    assert document["channels"]["quire.batches"]["messages"].keys() == TYPES.keys()
    assert document["channels"]["ws"]["messages"].keys() == {*CLIENT_MESSAGES, *SERVER_MESSAGES}
    for name, message in messages.items():
        struct = {**TYPES, **CLIENT_MESSAGES, **SERVER_MESSAGES}[name]
        assert [msgspec.convert(example["payload"], struct) for example in message["examples"]]


def test_the_headers_in_asyncapi_are_those_of_a_record():
    messages = json.loads(generate.files()["asyncapi.json"])["components"]["messages"]
    for event in examples.events():
        headers = {name: value.decode() for name, value in encode(event).headers}
        jsonschema.validate(headers, messages[event.type]["headers"])
        assert headers.keys() <= messages[event.type]["headers"]["properties"].keys()


@pytest.mark.long
def test_the_official_parser_takes_the_asyncapi_document():
    parser = _parser()
    said = subprocess.run(
        ["node", str(CHECK), str(parser), str(generate.GENERATED / "asyncapi.json")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (said.returncode, said.stdout) == (0, ""), said.stdout + said.stderr


def _parser() -> Path:
    """The directory where the parser is installed; once per checkout."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node and npm are not there: the official AsyncAPI parser was not asked")
    if (NODE_CACHE / "done").exists() and (NODE_CACHE / "done").read_text() == PARSER:
        return NODE_CACHE
    NODE_CACHE.mkdir(parents=True, exist_ok=True)
    (NODE_CACHE / "package.json").write_text('{"private": true}')
    try:
        installed = subprocess.run(
            [npm, "install", "--save-exact", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", PARSER],
            cwd=NODE_CACHE,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "NO_UPDATE_NOTIFIER": "1"},
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"the package registry did not answer within 60 s: {PARSER} was not asked")
    if installed.returncode != 0:
        pytest.skip(f"{PARSER} could not be installed and was not asked: {installed.stderr.strip().splitlines()[-1:]}")
    (NODE_CACHE / "done").write_text(PARSER)
    return NODE_CACHE
