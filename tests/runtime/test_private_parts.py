"""What we use of private parts of aiokafka and uvicorn is there, and nobody else uses any. An upgrade beyond the bounds of
`pyproject.toml` has to be looked at here first.
"""

import ast
import inspect
import textwrap
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender
from packaging.requirements import Requirement
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ROOT = Path(__file__).resolve().parents[2]
OURS = "services/runtime/quire_runtime/aiokafka_private.py"
USED: dict[type, str] = {
    AIOKafkaConsumer: "_client _coordinator _fetcher",
    GroupCoordinator: "_commit_refresh_task _coordination_task _do_commit_offsets _do_heartbeat _heartbeat_task coordinator_id "
    "member_id",
    Fetcher: "_fetch_task _pending_tasks",
    AIOKafkaProducer: "_message_accumulator _sender",
    Sender: "close",
    MessageAccumulator: "fail_all",
    AIOKafkaAdminClient: "_client",
    AIOKafkaClient: "bootstrap close cluster coordinator_lookup force_metadata_update ready send",
    ClusterMetadata: "controller",
    H11Protocol: "conn connections cycle handle_websocket_upgrade loop on_response_complete transport",
    RequestResponseCycle: "response_complete",
    WebSocketsSansIOProtocol: "close_sent close_timer conn data_received disconnected handle_connect handle_events handle_ping "
    "handshake_complete keepalive_timeout loop queue read_paused scope transport writable",
}


@pytest.mark.parametrize(("cls", "names"), USED.items(), ids=[cls.__name__ for cls in USED])
def test_what_we_use_is_there(cls: type, names: str) -> None:
    assert set(names.split()) - _attributes(cls) == set()


def test_one_attempt_at_a_commit_is_made_as_we_make_it() -> None:
    assert list(inspect.signature(GroupCoordinator._do_commit_offsets).parameters) == ["self", "assignment", "offsets"]
    assert list(inspect.signature(GroupCoordinator._do_heartbeat).parameters) == ["self"]
    assert list(inspect.signature(MessageAccumulator.fail_all).parameters) == ["self", "exception"]


@pytest.mark.parametrize(
    ("project", "name"), [("runtime", "aiokafka"), ("runtime", "uvicorn"), ("notifier", "uvicorn")], ids="-".join
)
def test_the_version_is_bounded_from_above_and_ours_is_within(project: str, name: str) -> None:
    dependencies = tomllib.loads((ROOT / "services" / project / "pyproject.toml").read_text())["project"]["dependencies"]
    [wanted] = [each for each in map(Requirement, dependencies) if each.name == name]
    assert any(bound.operator == "<" for bound in wanted.specifier)
    assert version(name) in wanted.specifier


def test_nobody_else_reaches_into_aiokafka() -> None:
    private = {name for cls, names in USED.items() if cls.__module__.startswith("aiokafka") for name in names.split()}
    reaching = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "services").rglob("quire_*/**/*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and node.attr in private
        if not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }
    assert reaching == {OURS}


def _attributes(cls: Any) -> set[str]:
    """Methods, and what any method sets on `self` or a class declares; also of the bases."""
    found = set(dir(cls))
    for base in cls.__mro__[:-1]:
        if base.__module__.partition(".")[0] not in ("aiokafka", "uvicorn"):
            continue
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return found
