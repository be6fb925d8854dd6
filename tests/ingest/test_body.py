"""From a request's body to its files."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive
from tests.virtual import VirtualLoop, run

from quire_ingest.body import MAX_FIELDS, BodyLimits, ClientLeft, FileStarts, boundary_of, file_events, refuse_length
from quire_runtime.http import Problem

LIMITS = BodyLimits(
    request_bytes=1_000_000, files=10, idle_seconds=5.0, bytes_per_second=0.0, command_bytes=2**19, command_seconds=5.0
)
BOUNDARY = "----b"


def part(content: bytes, disposition: str = 'form-data; name="f"; filename="a.pdf"', *headers: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"Content-Disposition: {disposition}", *headers))
    return f"--{BOUNDARY}\r\n{head}\r\n".encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def messages(chunks: Sequence[bytes], *, whole: bool = True) -> Receive:
    rest: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    rest.append({"type": "http.request", "body": b"", "more_body": False} if whole else {"type": "http.disconnect"})
    waiting = iter(rest)

    async def receive() -> Message:
        return next(waiting)

    return receive


async def files(receive: Receive, limits: BodyLimits = LIMITS) -> list[tuple[str | None, bytes]]:
    found: list[tuple[str | None, bytes]] = []
    name: str | None = None
    content = b""
    async for event in file_events(receive, BOUNDARY, limits):
        if isinstance(event, FileStarts):
            name, content = event.name, b""
        elif event is None:
            found.append((name, content))
        else:
            content += event
    return found


async def refused(data: bytes, limits: BodyLimits = LIMITS) -> tuple[int, str]:
    with pytest.raises(Problem) as refusal:
        await files(messages([data]), limits)
    return refusal.value.status, refusal.value.code


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
async def test_files_are_the_same_however_the_body_is_cut(size: int):
    data = body(part(b"one\r\n--"), part(b"", 'form-data; name="text"'), part(b"\r\n-----b two" * 20), part(b""))
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert await files(messages(chunks)) == [("a.pdf", b"one\r\n--"), ("a.pdf", b"\r\n-----b two" * 20), ("a.pdf", b"")]


async def test_fields_are_not_files():
    assert (
        await files(
            messages(
                [body(part(b"x", 'form-data; name="policy"'), part(b"y", 'form-data; name="n"', "Content-Type: text/plain"))]
            )
        )
        == []
    )


async def test_a_part_with_a_media_type_and_no_name_is_a_file():
    assert await files(messages([body(part(b"x", 'form-data; name="f"', "Content-Type: application/pdf"))])) == [(None, b"x")]


async def test_names_come_in_any_of_the_ways_clients_write_them():
    dispositions = [
        'form-data; name="f"; filename="文.pdf"',
        "form-data; name=f; filename*=UTF-8''%E6%96%87.pdf",
        'form-data; name="f"; filename=plain.pdf',
    ]
    parts = [part(b"x", disposition) for disposition in dispositions]
    latin = part(b"x", 'form-data; name="f"; filename="X.pdf"').replace(b"X.pdf", b"\xe9.pdf")
    unreadable = part(b"x", "form-data; name=f; filename=X.pdf").replace(b"X.pdf", b"\xe9.pdf")
    assert [name for name, _ in await files(messages([body(*parts, latin, unreadable)]))] == [
        "文.pdf",
        "文.pdf",
        "plain.pdf",
        "é.pdf",
        None,
    ]


async def test_what_a_quoted_value_holds_is_no_parameter():
    nested = "; filename*=UTF-8''other.pdf"
    file = part(b"x", f'form-data; name="f"; filename="a{nested}"')
    field = part(b"x", f'form-data; name="a{nested}"')
    assert await files(messages([body(file, field)])) == [(f"a{nested}", b"x")]


async def test_no_body_at_all_has_no_files():
    assert await files(messages([])) == []


async def test_a_body_after_which_the_client_is_gone_is_no_body():
    with pytest.raises(ClientLeft):
        await files(messages([part(b"x")], whole=False))


async def test_an_unfinished_or_broken_body_is_malformed():
    assert await refused(part(b"x")) == (400, "malformed_multipart")
    assert await refused(b"not multipart at all") == (400, "malformed_multipart")
    assert await refused(body(part(b"x", 'attachment; name="f"'))) == (400, "malformed_multipart")
    assert await refused(body(part(b"x", 'form-data; name="f"', "Content-Length: 9"))) == (400, "malformed_multipart")


async def test_limits_are_kept():
    assert await refused(body(*[part(b"x")] * 11)) == (413, "too_many_files")
    assert await refused(body(*[part(b"x", 'form-data; name="t"')] * (LIMITS.files + MAX_FIELDS + 1))) == (413, "too_many_parts")
    assert await refused(body(part(b"x", 'form-data; name="f"', f"X: {'y' * 9_000}"))) == (413, "too_many_parts")
    assert await refused(body(part(b"x" * 2_000)), LIMITS._replace(request_bytes=1_000)) == (413, "request_too_large")
    with pytest.raises(Problem) as refusal:
        refuse_length("1000001", LIMITS)
    assert refusal.value.code == "request_too_large"
    refuse_length("1000000", LIMITS)


async def test_a_client_that_sends_nothing_is_given_up():
    async def receive() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(Problem) as refusal:
        await files(receive, LIMITS._replace(idle_seconds=0.01))
    assert (refusal.value.status, refusal.value.code) == (408, "too_slow")


def dripping(data: bytes, size: int, pause: float) -> Receive:
    """So many bytes at a time, each after a while."""
    waiting = iter([data[at : at + size] for at in range(0, len(data), size)])

    async def receive() -> Message:
        await asyncio.sleep(pause)
        chunk = next(waiting, b"")
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    return receive


async def test_a_client_that_sends_a_byte_now_and_then_is_given_up():
    slow = LIMITS._replace(idle_seconds=0.2, bytes_per_second=1_000.0)
    with pytest.raises(Problem, match="Less than 1,000 bytes a second") as refusal:
        await files(dripping(body(part(b"x" * 10_000)), 1, 0.01), slow)
    assert (refusal.value.status, refusal.value.code) == (408, "too_slow")


def test_one_that_sends_enough_is_not_and_the_time_that_we_take_is_not_the_clients():
    async def sends_enough() -> None:
        data = body(part(b"x" * 10_000))
        assert await files(dripping(data, 500, 0.02), LIMITS._replace(idle_seconds=0.1, bytes_per_second=1_000.0))
        at_once = messages([data[at : at + 100] for at in range(0, len(data), 100)])
        async for _ in file_events(at_once, BOUNDARY, LIMITS._replace(idle_seconds=0.2, bytes_per_second=1e9)):
            await asyncio.sleep(0.01)

    run(VirtualLoop(), sends_enough())  # a busy machine is no slow client


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (None, 415),
        ("application/pdf", 415),
        ("multipart/mixed; boundary=x", 415),
        ("multipart/form-data", 400),
        (f"multipart/form-data; boundary={'x' * 201}", 400),
    ],
)
def test_only_multipart_with_a_boundary_is_read(content_type: str | None, status: int):
    with pytest.raises(Problem) as refusal:
        boundary_of(content_type)
    assert refusal.value.status == status
    assert boundary_of('Multipart/Form-Data; boundary="a b"') == "a b"
