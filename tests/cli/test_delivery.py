"""A submission that has not begun to send."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import msgspec
import pytest

from quire_cli.api import Api
from quire_cli.delivery import Delivery, Phase
from quire_cli.errors import NOT_ALL, USAGE, CliError, Interrupted
from quire_cli.gather import Chosen, Gathered, gather
from quire_cli.interrupts import Presses
from quire_cli.options import first
from quire_cli.target import Target
from quire_cli.upload import Order
from quire_cli.views import PlainView
from quire_schemas.views import Config, UploadLimits


async def test_who_leaves_before_the_feed_has_answered_has_sent_nothing() -> None:
    connected = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server, httpx.AsyncClient() as client:
        port = server.sockets[0].getsockname()[1]
        api = Api(client, Target(f"http://127.0.0.1:{port}", None, None))
        gathered = Gathered(files=[Chosen(path=Path("a.pdf"), size=10, modified_ns=0)])
        delivery = Delivery(api, gathered, Order("default", "isolate", "key", 300), PlainView(), wait=True)
        presses = Presses()
        running = asyncio.create_task(delivery.run(presses))
        async with asyncio.timeout(10):
            await connected.wait()
            assert delivery.phase is Phase.CONNECTING
            presses.press()
            left = await asyncio.wait_for(_failure(running), 10)
    assert isinstance(left, Interrupted)
    assert str(left) == "Left. Nothing was sent."


ACCEPTED = {"request_id": "r", "collection_id": "default", "accepted": 1, "rejected": []}
MADE = {"batch_id": "11111111-0000-4000-8000-000000000000", "files": []}
RUNS = {"batch_id": "22222222-0000-4000-8000-000000000000", "files": []}
MAY_RUN = {"batch_id": "33333333-0000-4000-8000-000000000000", "files": []}


def refused(**what_runs: object) -> httpx.Response:
    detail = "The log does not take events now. Send the same again in a while."
    return httpx.Response(503, json={"status": 503, "code": "log_unavailable", "detail": detail, **what_runs})


async def sent(folder: Path, *answers: httpx.Response | httpx.TransportError) -> BaseException:
    """How a submission of as many requests ends, each with one file."""
    paths = [folder / f"{number}.pdf" for number in range(len(answers))]
    for path in paths:
        path.write_bytes(b"%PDF-1")
    waiting = list(answers)
    config = Config(limits=UploadLimits(max_files=1), batch_size=1)

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, content=msgspec.json.encode(config))
        await request.aread()
        answered = waiting.pop(0)
        if isinstance(answered, httpx.TransportError):
            raise answered
        return answered

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        api = Api(client, Target("http://quire", None, None))
        delivery = Delivery(api, gather(map(str, paths), str), Order("default", "isolate", "k", 0), PlainView(), wait=False)
        return await _failure(asyncio.create_task(delivery.run(Presses())))


async def test_an_upload_that_is_refused_half_way_says_what_runs_and_ends_with_1(tmp_path: Path) -> None:
    accepted = httpx.Response(202, json={**ACCEPTED, "batches": [MADE]})
    error = await sent(tmp_path, accepted, refused(batches=[RUNS], unknown=[MAY_RUN]))
    assert isinstance(error, CliError)
    assert error.exit_code == NOT_ALL
    assert str(error) == (
        "The log does not take events now. Send the same again in a while. These batches run: 11111111 22222222. "
        "Perhaps run: 33333333. Submit the same again with --key k: nothing is doubled."
    )


async def test_an_upload_that_is_cut_half_way_says_what_runs_and_ends_with_1(tmp_path: Path) -> None:
    accepted = httpx.Response(202, json={**ACCEPTED, "batches": [MADE]})
    error = await sent(tmp_path, accepted, httpx.ReadError("reset"))
    assert isinstance(error, CliError)
    assert error.exit_code == NOT_ALL
    assert str(error).endswith("These batches run: 11111111. Submit the same again with --key k: nothing is doubled.")


async def test_one_that_is_cut_when_nobody_knows_what_runs_says_how_to_go_on(tmp_path: Path) -> None:
    error = await sent(tmp_path, httpx.ReadError("reset"))
    assert isinstance(error, CliError)
    assert error.exit_code == USAGE
    assert str(error).endswith("Submit the same again with --key k: nothing is doubled.")


async def test_an_upload_that_is_refused_before_anything_runs_ends_with_2(tmp_path: Path) -> None:
    error = await sent(tmp_path, refused())
    assert isinstance(error, CliError)
    assert error.exit_code == USAGE
    assert "--key" not in str(error)


async def _failure(task: asyncio.Task[int]) -> BaseException:
    with pytest.raises(BaseExceptionGroup) as failed:
        await task
    return first(failed.value)
