"""What is asked of Quire, and how patiently. The answers come from a function here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from tests.client.feed import BATCH, view

from quire_cli.api import Answered, Api, patiently
from quire_cli.cancel_retry import file_ids
from quire_cli.errors import CliError
from quire_cli.ids import meant, whole
from quire_cli.taken import together
from quire_cli.target import Target
from quire_schemas.views import BatchView, FileView, Links, Page

Answer = Callable[[httpx.Request], httpx.Response]
OTHER = "0190e3a4-ffff-4000-8000-000000000002"


def asking(answer: Answer) -> Api:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Api(client, Target("http://quire", None, None))


def listing(*batches: BatchView) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/batches":
            return httpx.Response(200, content=msgspec.json.encode(Page(items=list(batches), next_cursor=None)))
        [found] = [batch for batch in batches if request.url.path.endswith(batch.batch_id)]
        return httpx.Response(200, content=msgspec.json.encode(found))

    return answer


async def test_a_batch_is_meant_by_the_beginning_of_its_id() -> None:
    quire = asking(listing(view(BATCH, a="processed"), view("7777e3a4-0000-4000-8000-000000000003", a="processed")))
    assert await whole(quire, "0190E3") == BATCH
    assert await whole(quire, OTHER.replace("-", "").upper()) == OTHER
    with pytest.raises(CliError, match=r"None of the 1,000 newest batches begins with 5555\. `quire batches` lists them"):
        await whole(quire, "5555")


async def test_a_beginning_of_several_ids_names_them() -> None:
    quire = asking(listing(view(BATCH, a="processed"), view(OTHER, a="processed")))
    with pytest.raises(CliError, match=f"how several batches begin: {BATCH}, {OTHER}"):
        await whole(quire, "0190e3a4")


async def test_the_files_of_a_retry_are_named_by_id_or_filename() -> None:
    quire = asking(listing(view(**{"a.pdf": "failed", "b.pdf": "failed"})))
    assert await file_ids(quire, BATCH, ["b.pdf", "a.pdf", "b.pdf"]) == ["b.pdf", "a.pdf"]
    with pytest.raises(CliError, match=r"The batch has no file 'c\.pdf'\. `quire batch .*` lists them"):
        await file_ids(quire, BATCH, ["c.pdf"])


async def test_batches_are_asked_for_page_by_page_until_there_are_enough() -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        items = [view(f"{len(asked)}-{n}") for n in range(int(request.url.params["limit"]))]
        return httpx.Response(200, content=msgspec.json.encode(Page(items=items, next_cursor=f"c{len(asked)}")))

    assert len(await asking(answer).batches(limit=1_200, collection_id="c", status=None)) == 1_200
    assert [url.params.get("cursor") for url in asked] == [None, "c1", "c2"]
    assert all(url.params["collection_id"] == "c" and "status" not in url.params for url in asked)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; none is waited for."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return made


async def test_an_outage_is_waited_for_as_long_as_it_says(pauses: list[float]) -> None:
    answers = [
        httpx.Response(503, headers={"retry-after": "7"}, json={"detail": "Storage is away.", "code": "storage_unavailable"}),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, json={"batch_size": 10}),
    ]
    told: list[str] = []
    quire = asking(lambda _request: answers.pop(0))
    config = await patiently(quire.config, 300, lambda reason, _pause: told.append(reason))
    assert (config.batch_size, pauses) == (10, [7.0, 1.0])
    assert told == ["Storage is away.", "http://quire/api/config answered 502 Bad Gateway: is that Quire?"]


async def test_patience_ends_and_a_no_is_not_asked_again(pauses: list[float]) -> None:
    away = asking(lambda _request: httpx.Response(503, json={"detail": "Kafka is away.", "code": "log_unavailable"}))
    with pytest.raises(Answered, match="Kafka is away"):
        await patiently(away.config, 0, lambda _reason, _pause: None)
    refusing = asking(lambda _request: httpx.Response(403, json={"detail": "The token may not.", "code": "forbidden"}))
    with pytest.raises(Answered, match="The token may not"):
        await patiently(refusing.config, 300, lambda _reason, _pause: None)
    assert pauses == []


@pytest.mark.parametrize(
    ("answer", "sentence", "code"),
    [
        (httpx.Response(404, json={"detail": "There is no such batch.", "code": "not_found"}), "`quire batches` lists", 1),
        (httpx.Response(409, json={"detail": "The batch has ended.", "code": "ended"}), "The batch has ended.", 1),
        (httpx.Response(401, json={"detail": "A token is needed.", "code": "unauthorized"}), "set QUIRE_TOKEN to a token", 2),
        (httpx.Response(500, text="oops"), "answered 500 Internal Server Error: is that Quire?", 2),
        (httpx.Response(200, text="<html>welcome"), "answered, but not as Quire does: is this the right address", 2),
    ],
)
async def test_every_answer_that_is_no_help_is_a_sentence(answer: httpx.Response, sentence: str, code: int) -> None:
    with pytest.raises(CliError) as refused:
        await asking(lambda _request: answer).batch(BATCH)
    assert sentence in str(refused.value)
    assert refused.value.exit_code == code


async def test_a_connection_that_breaks_off_is_one_that_can_be_tried_again(pauses: list[float]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if len(pauses) < 3:
            raise httpx.ReadError("reset", request=request)
        return httpx.Response(200, json={})

    async with asyncio.timeout(10):
        await patiently(asking(answer).config, 60, lambda _reason, _pause: None)
    assert pauses == [0.5, 1.0, 2.0]


def knowing(**kinds: str) -> Answer:
    """Ids of uploads, batches and files; anything else is a 404."""

    def answer(request: httpx.Request) -> httpx.Response:
        *_, of, given = request.url.path.split("/")
        if kinds.get(given[:1]) != of:
            return httpx.Response(404, json={"status": 404, "code": "not_found", "detail": f"There is no such {of[:-1]}."})
        return httpx.Response(200, content=msgspec.json.encode(FILE if of == "files" else view(given, a="processed")))

    return answer


FILE = FileView(
    file_id=OTHER,
    batch_id=BATCH,
    collection_id="c",
    original_filename="a.pdf",
    file_size=1,
    processing_status="processed",
    upload_progress=100,
    error_code=None,
    error_message=None,
    page_count=1,
    title=None,
    sha256="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    links=Links(original=None, text=None, thumbnail=None),
)


async def test_files_are_meant_by_their_whole_ids_where_they_can_be_and_are_taken_together() -> None:
    quire = asking(knowing(f="files", b="batches"))
    ids = [f"{letter}0000000-0000-4000-8000-000000000001" for letter in "ffb"]
    found = [await meant(quire, given, or_file=True) for given in ids]
    assert [each.kind for each in found] == ["file", "file", "batch"]
    files, batch = together(found)
    assert (files, batch.id) == (("file", f"{ids[0]},{ids[1]}", "2 files"), ids[2])
    assert [len(each.id.split(",")) for each in together(found[:1] * 400)] == [150, 150, 100]
    assert together(found[:1])[0].name == "a.pdf"
    with pytest.raises(CliError, match="There is no such batch"):
        await meant(quire, ids[0])
