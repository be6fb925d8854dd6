import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quire_runtime.http import Problem, cors, exception_handlers, json_response, problem
from quire_runtime.http_server import CannotListen, HttpServer
from quire_runtime.middleware import KnownHosts
from quire_runtime.ops import OpsServer
from quire_runtime.settings import HttpSettings


async def fine(_request: Request) -> Response:
    return json_response({"ok": True})


async def refused(_request: Request) -> Response:
    raise Problem(409, "wrong_status", "The batch is completed.", status_now="completed")


async def broken(_request: Request) -> Response:
    raise RuntimeError("secret detail")


APP = Starlette(
    routes=[Route("/fine", fine), Route("/refused", refused), Route("/broken", broken)],
    exception_handlers=exception_handlers(),
    middleware=[cors(["http://localhost:8000"])],
)


@asynccontextmanager
async def running(server: HttpServer | OpsServer) -> AsyncIterator[httpx.AsyncClient]:
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
            yield client
        server.stop()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/refused", 409, "wrong_status"), ("/nowhere", 404, "not_found"), ("/broken", 500, "internal")],
)
async def test_every_way_to_fail_is_problem_json(path: str, status: int, code: str):
    transport = httpx.ASGITransport(APP, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://quire") as client:
        answer = await client.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
    assert "secret detail" not in answer.text


async def test_so_is_what_starlette_itself_refuses_in_plain_text():
    preflight = {"Origin": "http://elsewhere", "Access-Control-Request-Method": "GET"}
    async with running(HttpServer(APP, HttpSettings(host="127.0.0.1", port=0))) as client:
        answer = await client.options("/fine", headers=preflight)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (400, "bad_request", "Disallowed CORS origin")
    assert "Origin" in answer.headers["vary"]


def test_a_problem_carries_what_else_is_known():
    body = problem(503, "log_unavailable", "Kafka is away.", headers={"Retry-After": "5"}, batches=[])
    assert body.headers["retry-after"] == "5"
    assert b'"batches":[]' in body.body


async def test_only_the_allowed_origins_are_answered():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://quire") as client:
        good = await client.get("/fine", headers={"Origin": "http://localhost:8000"})
        bad = await client.get("/fine", headers={"Origin": "http://evil.example"})
    assert good.headers["access-control-allow-origin"] == "http://localhost:8000"
    assert "access-control-allow-origin" not in bad.headers


async def test_a_taken_port_is_named_with_its_setting():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"{port}.*QUIRE_OPS_PORT"):
            OpsServer("127.0.0.1", port, {})


async def test_a_server_stops_when_told_and_frees_its_port():
    server = HttpServer(APP, HttpSettings(port=0))
    async with running(server) as client:
        answer = await client.get("/fine")
        assert "server" not in answer.headers
    async with running(HttpServer(APP, HttpSettings(port=server.port))) as client:
        assert (await client.get("/fine")).status_code == 200


async def test_a_cancelled_server_leaves_nothing_behind():
    server = HttpServer(APP, HttpSettings(port=0))
    task = asyncio.create_task(server.run())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        assert (await client.get("/fine")).status_code == 200
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    HttpServer(APP, HttpSettings(port=server.port))._socket.close()


async def test_ready_means_that_every_dependency_answers():
    async def good() -> None: ...

    async def bad() -> None:
        raise ConnectionError("refused")

    async def slow() -> None:
        await asyncio.sleep(60)

    registry = CollectorRegistry()
    Counter("quire_example_total", "An example.", registry=registry).inc()
    ops = OpsServer("127.0.0.1", 0, {"good": good}, registry=registry)
    failing = OpsServer("127.0.0.1", 0, {"good": good, "bad": bad, "slow": slow}, timeout=0.05)
    async with running(ops) as client, running(failing) as other:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        assert "quire_example_total 1.0" in (await client.get("/metrics")).text
        ops.draining = True
        assert (await client.get("/readyz")).status_code == 503
        answer = await other.get("/readyz")
        assert answer.status_code == 503
        checks = answer.json()["checks"]
        assert checks["good"]["ok"]
        assert checks["bad"]["error"] == "refused"
        assert "0.05 s" in checks["slow"]["error"]


async def test_a_dependency_may_be_left_out_of_what_ready_means_and_the_start_may_not():
    async def bad() -> None:
        raise ConnectionError("refused")

    started, starting = OpsServer("127.0.0.1", 0, {"log": bad, "storage": bad}), OpsServer("127.0.0.1", 0)
    async with running(started) as client, running(starting) as other:
        assert (await client.get("/readyz?exclude=log")).status_code == 503
        answer = await client.get("/readyz?exclude=log&exclude=storage")
        assert (answer.status_code, answer.json()["checks"]) == (200, {})
        assert (await other.get("/readyz?exclude=start")).status_code == 503
        started.draining = True
        assert (await client.get("/readyz?exclude=log&exclude=storage")).status_code == 503


async def test_the_health_of_a_container_is_whether_its_service_is_ready():
    async def health(port: int | str) -> tuple[int, bytes]:
        environment = {**os.environ, "QUIRE_OPS_PORT": str(port)}
        command = (sys.executable, "-m", "quire_runtime.health")
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=STDOUT)
        output, _ = await process.communicate()
        return process.returncode or 0, output

    async with running(OpsServer("127.0.0.1", 0)) as starting:
        ready = OpsServer("127.0.0.1", 0, {})
        async with running(ready):
            assert (await health(ready.port))[0] == 0
        assert (await health(starting.base_url.port or 0))[0] == 1
        assert await health("") == (1, b"QUIRE_OPS_PORT is not set: it says where to ask\n")
        assert b"nobody answers" in (await health(ready.port))[1]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("quire.localhost", 200),
        ("quire.example", 200),
        ("rebound.example:8000", 421),
        ("192.168.0.9", 421),
        ("[", 421),
    ],
)
async def test_a_server_for_this_machine_answers_to_no_other_name(host: str, status: int):
    app = KnownHosts(APP, more=["quire.example"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://quire") as client:
        answer = await client.get("/fine", headers={"Host": host})
    assert answer.status_code == status
