"""`quire up` as a person runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from quire_local.ports import Ports, is_free

PATIENCE_S = 90


@dataclass
class Up:
    """A running `quire up`, or one that has ended."""

    process: "subprocess.Popen[str]"
    data: Path

    @property
    def stack(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        return content

    def until(self, condition: str, met: Any) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not met():
            assert self.process.poll() is None, f"it ended before {condition}: {self.output}"
            assert time.monotonic() < deadline, f"not {condition}: {self.output}"
            time.sleep(0.05)

    @property
    def output(self) -> str:
        return (self.data.parent / "output").read_text()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def offset() -> int:
    """A port offset at which every port is free."""
    for offset in range(12_000, 22_000, 500):
        ports = Ports.at(offset)
        if all(is_free(port) for port, _ in [*ports.of_infrastructure(), *ports.of_services(2)]):
            return offset
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "data"


@contextmanager
def quire_up(data: Path, offset: int, *arguments: str) -> Iterator[Up]:
    command = [sys.executable, "-m", "quire_cli", "up", "--data", str(data), "--port-offset", str(offset), *arguments]
    with (
        (data.parent / "output").open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, text=True) as process,
    ):
        up = Up(process, data)
        try:
            yield up
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@contextmanager
def ready(data: Path, offset: int, *arguments: str) -> Iterator[Up]:
    with quire_up(data, offset, *arguments) as up:
        up.until("ready", lambda: "Quire is ready" in up.output)  # a stack.json may be there from one that was killed
        yield up


def quire(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """A command of a person who knows no secret."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUIRE_")} | more
    command = [sys.executable, "-m", "quire_cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def test_everything_is_there_under_a_token_and_sigterm_stops_all_of_it(
    data: Path, offset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIRE_TEXT_SEARHC", "english")
    monkeypatch.setenv("QUIRE_AUTH", "jwt")
    monkeypatch.setenv("QUIRE_AUTH_SECRET", "0123456789abcdef0123456789abcdef")
    with ready(data, offset) as up:
        stack, ports = up.stack, Ports.at(offset)
        assert stack.keys() == {"ingest_url", "notifier_url", "kafka", "postgres", "s3", "pids", "ops", "auth_secret"}
        assert stack["s3"].keys() == {"endpoint", "bucket", "access_key", "secret_key"}
        assert stack["pids"].keys() == {"kafka", "postgres", "s3", "ingest", "notifier", "processor-1"}
        assert stack["ingest_url"] == f"http://127.0.0.1:{ports.ingest}"
        assert stack["notifier_url"] == f"http://127.0.0.1:{ports.notifier}"
        ops = {"ingest": ports.ingest_ops, "notifier": ports.notifier_ops, "processor-1": ports.processor_ops}
        assert stack["ops"] == {name: f"http://127.0.0.1:{port}" for name, port in ops.items()}
        for url in stack["ops"].values():
            assert httpx.get(f"{url}/readyz").status_code == 200
        up.until("it shows the addresses", lambda: stack["notifier_url"] in up.output and stack["ingest_url"] in up.output)
        assert "QUIRE_TEXT_SEARHC: there is no such setting. Is QUIRE_TEXT_SEARCH meant?" in up.output
        batches, token = ("batches", "--url", stack["notifier_url"]), quire("token", "--data", str(data)).stdout.strip()
        assert quire(*batches, QUIRE_TOKEN=token).returncode == 0
        assert "token" in quire(*batches).stderr
        assert httpx.get(f"{stack['notifier_url']}/api/batches").status_code == 401
        assert up.end(signal.SIGTERM) == 0
    assert not any(map(is_running, stack["pids"].values()))
    assert not (data / "stack.json").exists()


@pytest.mark.long
def test_a_killed_quire_up_leaves_nothing_that_blocks_the_next_start(data: Path, offset: int) -> None:
    with ready(data, offset) as up:
        before = up.stack["pids"]
        up.end(signal.SIGKILL)
    with ready(data, offset, "--processors", "2") as up:
        assert not any(map(is_running, before.values()))

        up_pids = up.stack["pids"]
        os.kill(up_pids["processor-1"], signal.SIGKILL)
        up.until("the death is told", lambda: "Its work goes to processor-2." in up.output)
        assert re.search(r"processor-1 was killed by signal 9 \(SIGKILL\)\. Its last log lines .*processor-1\.log", up.output)
        assert up.stack["pids"] == {name: pid for name, pid in up_pids.items() if name != "processor-1"}

        os.kill(up_pids["notifier"], signal.SIGKILL)
        assert up.process.wait(PATIENCE_S) == 1
        assert "quire up: notifier was killed by signal 9 (SIGKILL)" in up.output
    assert not any(map(is_running, up_pids.values()))


def test_a_taken_port_is_named_before_anything_is_started(tmp_path: Path, offset: int) -> None:
    with socket.create_server(("127.0.0.1", Ports.at(offset).notifier)), quire_up(tmp_path / "data", offset) as up:
        assert up.process.wait(PATIENCE_S) == 1
    assert f"port {Ports.at(offset).notifier} is taken, and notifier needs it" in up.output
    assert "is ready" not in up.output


def test_settings_that_no_service_takes_are_all_named_before_anything_is_started(
    tmp_path: Path, offset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIRE_BATCH_SIZE", "many")
    monkeypatch.setenv("QUIRE_WORKERS", "-1")
    with quire_up(tmp_path / "data", offset) as up:
        assert up.process.wait(PATIENCE_S) == 2
    for name in ("QUIRE_BATCH_SIZE", "QUIRE_WORKERS"):
        assert len(re.findall(name, up.output)) == 1, up.output
    assert not (tmp_path / "data").exists()


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
