"""Quire below `/quire/` of another site: behind a proxy that takes the path away, and behind those of docs/secure.md."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from tests.integration.client import Client, serving
from tests.integration.fronts import passing
from tests.integration.stack import Quire, Stack
from tests.samples_pdf import simple_pdf
from websockets.asyncio.client import connect

from quire_client import subscribe
from quire_local.ports import free_ports
from quire_schemas.messages import BatchCompletedMessage, Subscribed

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
Front = Callable[[Quire, Path], contextlib.AbstractAsyncContextManager[str]]


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with serving(
        stack, settings={"QUIRE_INGEST_URL": "", "QUIRE_TRUSTED_PROXIES": "127.0.0.1", "QUIRE_MAX_REQUEST_MIB": "2"}
    ) as one:
        yield one


@asynccontextmanager
async def stripping(quire: Quire, _directory: Path) -> AsyncIterator[str]:
    def route(head: bytes) -> tuple[bytes, str]:
        method, path, rest = head.split(b" ", 2)
        assert path.startswith(b"/quire/")
        url = quire.ingest_url if method == b"POST" else quire.notifier_url
        return b" ".join((method, path.removeprefix(b"/quire"), rest)), url

    async with passing(route) as url:
        yield f"{url}/quire"


@asynccontextmanager
async def nginx(quire: Quire, directory: Path, most: str = "0", silence: str = "300s") -> AsyncIterator[str]:
    port = free_ports(1)[0]
    changes = {r"listen .*;": f"listen 127.0.0.1:{port};", r"ssl_.*;": "", r"max_body_size 0;": f"max_body_size {most};"}
    changes |= {r"read_timeout 300s;": f"read_timeout {silence};"}
    site = example("nginx", quire, changes)
    temporary = "".join(f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = directory / "nginx.conf"
    config.write_text(f"pid {directory}/pid; daemon off; events {{}} http {{ access_log off; {temporary} {site} }}")
    async with running(port, directory, "nginx", "-e", "stderr", "-c", str(config)):
        yield f"http://127.0.0.1:{port}/quire"


@asynccontextmanager
async def caddy(quire: Quire, directory: Path) -> AsyncIterator[str]:
    port = free_ports(1)[0]
    site = example("caddy", quire, {r"quire\.example\.org": f"http://127.0.0.1:{port}"})
    config = directory / "Caddyfile"
    config.write_text("{\n admin off\n}\n" + site)
    async with running(port, directory, "caddy", "run", "--adapter", "caddyfile", "--config", str(config)):
        yield f"http://127.0.0.1:{port}/quire"


def example(language: str, quire: Quire, changes: dict[str, str]) -> str:
    """The one in docs/secure.md, with these services and changes."""
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / "docs" / "secure.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    text = found[1].replace("127.0.0.1:8000", f"127.0.0.1:{quire.ports.notifier}")
    text = text.replace("127.0.0.1:8001", f"127.0.0.1:{quire.ports.ingest}")
    for pattern, new in changes.items():
        assert re.search(pattern, text), pattern
        text = re.sub(pattern, new, text)
    return text


@asynccontextmanager
async def running(port: int, home: Path, program: str, *arguments: str) -> AsyncIterator[None]:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed here: its example in docs/secure.md was NOT tried")
    process = await asyncio.create_subprocess_exec(path, *arguments, env={"HOME": str(home)})
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await listens(port):
                assert process.returncode is None, f"{program} has ended"
                await asyncio.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


FRONTS = pytest.mark.parametrize("front", [stripping, nginx, caddy])


@FRONTS
async def test_command_line_client_and_links_work(client: Client, front: Front, tmp_path: Path) -> None:
    pdf, name, fallbacks = tmp_path / "a.pdf", f"cli-{front.__name__}", list[str]()
    pdf.write_bytes(simple_pdf("Under a path"))
    async with (
        front(client.quire, tmp_path) as url,
        asyncio.timeout(PATIENCE_SECONDS),
        aclosing(subscribe(url, name, on_fallback=fallbacks.append)) as feed,
    ):
        assert isinstance(await anext(feed), Subscribed)
        submitted = await quire(url, "submit", str(pdf), "--collection", name)
        while not isinstance(await anext(feed), BatchCompletedMessage):
            pass
        assert fallbacks == []  # all of it came over the WebSocket
        assert submitted.returncode == 0, submitted.stderr
        assert "WebSocket" not in submitted.stderr
        async with httpx.AsyncClient(trust_env=False) as http:
            (file,) = (await http.get(f"{url}/api/files", params={"collection_id": name})).json()["items"]
            for link in file["links"].values():
                assert (await http.get(urljoin(f"{url}/", link))).status_code == 200, link
        batch = await quire(url, "cancel", file["batch_id"])
        assert "has ended" in batch.stderr


async def quire(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quire_cli", *arguments, "--url", url]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": "/"})
    out, err = await process.communicate()
    return subprocess.CompletedProcess(command, process.returncode or 0, out.decode(), err.decode())


@FRONTS
async def test_the_javascript_client_works(client: Client, front: Front, node: tuple[str, Path], tmp_path: Path) -> None:
    program, packages = node
    module = (ROOT / "clients" / "js" / "quire.js").as_uri()
    script = f"""
        import {{ createRequire }} from "node:module";
        const {{ subscribe }} = await import("{module}");
        const feed = subscribe(process.argv[1], "js", {{ after: 0, WebSocket: createRequire("{packages}/")("ws") }});
        feed.addEventListener("fallback", ({{ detail }}) => console.log(detail.reason));
        feed.addEventListener("message", ({{ detail }}) => {{
          console.log(detail.type);
          process.exit(0);
        }});
    """
    await client.accepted([("a.pdf", simple_pdf("a"))], collection_id="js")
    async with front(client.quire, tmp_path) as url:
        command = [program, "--input-type=module", "--eval", script, url]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert out == b"BATCH_CREATED\n"


@FRONTS
async def test_an_event_comes_at_once_and_the_stream_stays(client: Client, front: Front, tmp_path: Path) -> None:
    name = f"sse-{front.__name__}"
    async with (
        front(client.quire, tmp_path) as url,
        client.http.stream("GET", f"{url}/api/collections/{name}/events") as answer,
    ):
        lines = answer.aiter_lines()
        await until(lines, "SUBSCRIBED")
        await client.accepted([("a.pdf", simple_pdf("a"))], collection_id=name)
        await until(lines, "BATCH_PROCESSING_COMPLETED")


@pytest.mark.long
async def test_a_proxy_that_bears_25_s_of_silence_keeps_sockets_and_streams(client: Client, tmp_path: Path) -> None:
    async with (
        nginx(client.quire, tmp_path, silence="27s") as url,
        client.http.stream("GET", f"{url}/api/collections/silent/events") as answer,
        connect(f"{url.replace('http', 'ws', 1)}/ws?collection_id=silent", ping_interval=None) as socket,
    ):
        lines = answer.aiter_lines()
        await until(lines, "SUBSCRIBED")
        assert "SUBSCRIBED" in str(await socket.recv())
        await asyncio.sleep(60)
        await client.accepted([("a.pdf", simple_pdf("a"))], collection_id="silent")
        assert "BATCH_CREATED" in str(await socket.recv())
        await until(lines, "BATCH_CREATED")


async def until(lines: AsyncIterator[str], word: str) -> None:
    async for line in lines:
        if word in line:
            return
    pytest.fail(f"the stream ended before {word}")


@pytest.mark.parametrize("front", [nginx, caddy])
async def test_a_body_that_ingest_refuses_is_told_in_its_own_words(client: Client, front: Front, tmp_path: Path) -> None:
    assert "An upload may take 2 MiB" in await refusal(front(client.quire, tmp_path), tmp_path)


async def test_one_that_a_proxy_refuses_is_told_as_such(client: Client, tmp_path: Path) -> None:
    said = await refusal(nginx(client.quire, tmp_path, "1m"), tmp_path)
    assert "something in front of it takes no body of that size" in said


async def refusal(front: contextlib.AbstractAsyncContextManager[str], directory: Path) -> str:
    pdf = directory / "large.pdf"
    pdf.write_bytes(simple_pdf("large") + bytes(3_000_000))
    async with front as url:
        refused = await quire(url, "submit", str(pdf))
    assert refused.returncode == 2
    return " ".join(refused.stderr.split())


async def test_ingest_redirects_nobody_to_a_place_without_the_path(client: Client, tmp_path: Path) -> None:
    async with stripping(client.quire, tmp_path) as url, httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(f"{url}/api/documents/process/")).status_code == 404


async def test_the_pages_of_the_contract_lead_to_what_is_there(client: Client, tmp_path: Path) -> None:
    async with stripping(client.quire, tmp_path) as url, httpx.AsyncClient(trust_env=False) as http:
        for page in (f"{url}/docs", f"{url}/docs/events"):
            answer = await http.get(page)
            assert answer.headers["content-type"].startswith("text/html")
            targets = {urljoin(page, target) for target in re.findall(r'(?:href|src)="([^"#]+)', answer.text)}
            assert all(target.startswith(f"{url}/") for target in targets)
            assert {(await http.get(target)).status_code for target in targets} == {200}
