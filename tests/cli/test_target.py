"""Where a command goes."""

import json
from pathlib import Path

import pytest

from quire_cli.errors import CliError
from quire_cli.target import clean, read_stack, target

STACK = {
    "ingest_url": "http://127.0.0.1:8501",
    "notifier_url": "http://127.0.0.1:8500",
    "kafka": "127.0.0.1:9592",
    "postgres": "postgresql://quire:x@127.0.0.1:5933/postgres",
    "s3": {"endpoint": "http://127.0.0.1:9500", "bucket": "quire", "access_key": "quire", "secret_key": "y"},
    "pids": {"kafka": 1},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "stack.json").write_text(json.dumps(STACK))
    return tmp_path


def test_the_option_goes_before_the_environment_and_that_before_the_running_stack(data: Path) -> None:
    environ = {"QUIRE_URL": "http://env:1/", "QUIRE_NOTIFIER_URL": "http://other:1"}
    assert target("opt:1", environ, data).notifier == "http://opt:1"
    assert target(None, environ, data).notifier == "http://env:1"
    assert target(None, {"QUIRE_NOTIFIER_URL": "http://other:1"}, data).notifier == "http://other:1"
    assert target(None, {}, data).notifier == "http://127.0.0.1:8500"


def test_commands_of_the_services_ask_the_stacks_own_notifier(data: Path) -> None:
    stack = read_stack(data)
    assert stack is not None
    assert stack.environment["QUIRE_NOTIFIER_URL"] == "http://127.0.0.1:8500"


def test_the_stacks_ingest_is_used_with_the_stacks_notifier_only(data: Path) -> None:
    assert target(None, {}, data).ingest == "http://127.0.0.1:8501"
    assert target("http://opt:1", {}, data).ingest is None
    assert target("http://opt:1", {"QUIRE_INGEST_URL": "http://ingest:1/"}, data).ingest == "http://ingest:1"


def test_with_no_stack_it_is_port_8000_here(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    assert target(None, {"QUIRE_TOKEN": "t"}, tmp_path) == target("http://127.0.0.1:8000", {"QUIRE_TOKEN": "t"}, tmp_path)


@pytest.mark.parametrize("url", ["ftp://host", "http://", "://", "http:///path"])
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(CliError, match=r"is no address\. Give one like http://127\.0\.0\.1:8000"):
        clean(url)


def test_a_token_that_can_be_none_is_refused_without_being_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("c2VjcmV0\n")
    assert target(None, {"QUIRE_TOKEN_FILE": str(file)}, tmp_path).token == "c2VjcmV0"
    with pytest.raises(CliError) as refusal:
        target(None, {"QUIRE_TOKEN": "c2VjcmV0\nX-Injected: 1"}, tmp_path)
    assert str(refusal.value).startswith("QUIRE_TOKEN: it is empty, or holds a line break")
    assert "c2VjcmV0" not in str(refusal.value)
