import json
import signal
import subprocess
import sys
from contextlib import AbstractContextManager

import pytest
from tests.programs import line, running

SERVICE = """
import asyncio, sys
from msgspec import Struct
from quire_runtime.command import run
from quire_runtime.http_server import HttpServer
from quire_runtime.ops import OpsServer
from quire_runtime.signals import stop_event
from quire_runtime.settings import OpsSettings

class Settings(Struct, frozen=True):
    ops: OpsSettings = OpsSettings(port=0)

async def serve(settings):
    stop = stop_event()
    ops = OpsServer(settings.ops.host, settings.ops.port, {})
    async with asyncio.TaskGroup() as group:
        group.create_task(ops.run())
        print(type(asyncio.get_running_loop()).__module__, flush=True)
        await stop.wait()
        print("stopping", flush=True)
        if "slow" in sys.argv[0]:
            await asyncio.sleep(60)
        ops.stop()
    print("stopped", flush=True)

async def seven(settings, argv):
    return 7 if argv == ["--now"] else 1

sys.exit(run(Settings, serve, sys.argv[1:], {"seven": seven}))
"""


def service(*arguments: str, text: str = SERVICE) -> AbstractContextManager[subprocess.Popen[str]]:
    return running(sys.executable, "-W", "error", "-c", text, *arguments)


def test_a_service_runs_on_uvloop_and_ends_cleanly_when_told():
    for number in (signal.SIGTERM, signal.SIGINT):
        with service() as process:
            assert line(process).startswith("uvloop")
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
            assert (process.returncode, out.split(), err) == (0, ["stopping", "stopped"], "")


def test_a_second_signal_means_at_once():
    with service(text=SERVICE.replace('"slow" in sys.argv[0]', "True")) as process:
        line(process)
        process.send_signal(signal.SIGTERM)
        assert line(process) == "stopping"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 128 + signal.SIGTERM


def test_help_names_the_commands():
    with service("--help") as process:
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
        assert "serve, check-config, seven" in out


def test_a_command_of_the_service_gets_its_arguments_and_gives_the_exit_code():
    with service("seven", "--now") as process:
        assert process.wait(timeout=20) == 7


def test_a_setting_that_the_service_does_not_have_is_named_and_no_fault(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("QUIRE_OPS_PROT", "1")
    monkeypatch.setenv("QUIRE_TOKEN_FILE", "/run/secrets/token")
    with service("check-config") as process:
        out, err = process.communicate(timeout=20)
        assert (process.returncode, "QUIRE_OPS_PORT  0" in out) == (0, True)
        assert "QUIRE_OPS_PROT: this service has no such setting. Is QUIRE_OPS_PORT meant?\n" in err
        assert "QUIRE_TOKEN" not in err
    with service("check-config", "--json") as process:
        out, err = process.communicate(timeout=20)
        assert any(sentence.startswith("QUIRE_OPS_PROT: ") for sentence in json.loads(out)["unknown"])
    with service("check-config", "--json", "--any-names") as process:
        out, err = process.communicate(timeout=20)
        assert (sorted(json.loads(out)), err) == (["problems", "settings"], "")
