"""The body of an upload, and how files are divided into requests."""

import re
from pathlib import Path

import httpx
import msgspec
import pytest

from quire_cli.errors import CliError
from quire_cli.gather import Chosen, gather
from quire_cli.multipart import Body, escaped
from quire_cli.upload import MAX_BYTES, MAX_FILES, accepted, parts
from quire_schemas.views import Config, UploadLimits


def config(batch_size: int = 25, max_files: int = 10_000, max_request_bytes: int = 16 * 1024**3) -> Config:
    limits = UploadLimits(max_file_bytes=1024**3, max_request_bytes=max_request_bytes, max_files=max_files)
    return Config(batch_size=batch_size, limits=limits)


def chosen(*paths: Path) -> list[Chosen]:
    return gather(map(str, paths), str).files


async def test_the_body_is_as_long_as_it_says_and_holds_every_byte(tmp_path: Path) -> None:
    for name, content in (("one.pdf", b"%PDF-1"), ("empty.pdf", b""), ("large.pdf", b"%PDF-" + bytes(1_500_000))):
        (tmp_path / name).write_bytes(content)
    sent: list[int] = []
    body = Body(chosen(tmp_path), "line", sent.append)
    whole = b"".join([chunk async for chunk in body])
    assert len(whole) == int(body.headers["Content-Length"])
    contents = [part.partition(b"\r\n\r\n")[2][:-2] for part in whole.split(b"--line")[1:-1]]
    assert contents == [(tmp_path / name).read_bytes() for name in ("empty.pdf", "large.pdf", "one.pdf")]
    assert (sent == sorted(sent), sent[-1]) == (True, 1_500_011)


async def test_a_file_that_grows_shrinks_or_goes_while_it_is_sent_ends_the_upload_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "moving.pdf"
    for change in (lambda: path.write_bytes(b"%PDF-and more"), lambda: path.write_bytes(b"%"), path.unlink):
        path.write_bytes(b"%PDF-1")
        [file] = chosen(path)
        change()
        with pytest.raises(CliError, match=re.escape(f"{path} ") + r"(changed|could be read).* Submit again"):
            assert [chunk async for chunk in Body([file], "line", lambda _sent: None)]


def test_no_filename_can_end_its_header() -> None:
    assert escaped('a"b\r\nc\udcff.pdf') == b"a%22b%0D%0Ac\xff.pdf"


def test_requests_hold_whole_batches_within_the_limits() -> None:
    small, large = Chosen(Path("a.pdf"), 1, 0), Chosen(Path("b.pdf"), MAX_BYTES - 10_000, 0)
    assert [len(part) for part in parts([small] * 2_001, config())] == [1_000, 1_000, 1]
    assert [len(part) for part in parts([small] * 1_000, config(batch_size=30))] == [990, 10]
    assert [len(part) for part in parts([large, small, large, small], config())] == [2, 2]
    assert list(parts([], config())) == []


def test_no_request_is_beyond_what_ingest_takes() -> None:
    small = Chosen(Path("small.pdf"), 1_000, 0)
    assert [len(part) for part in parts([small] * 120, config(max_files=60))] == [50, 50, 20]
    assert [len(part) for part in parts([small] * 20, config(max_files=7))] == [7, 7, 6]
    assert [len(part) for part in parts([small] * 20, config(max_request_bytes=10 * 2_024))] == [10, 10]
    assert MAX_FILES % 25 == 0


def test_an_upload_of_which_every_file_is_rejected_is_answered_like_any_other() -> None:
    body = {"request_id": "r", "collection_id": "c", "accepted": 0, "batches": []}
    rejected = [{"filename": "a.txt", "code": "not_a_pdf", "message": "This is no PDF."}]
    request = httpx.Request("POST", "http://quire/api/documents/process")
    answer = httpx.Response(
        422, content=msgspec.json.encode({**body, "rejected": rejected, "code": "all_rejected"}), request=request
    )
    assert [each.filename for each in accepted(answer).rejected] == ["a.txt"]
    other = httpx.Response(422, content=b'{"code": "key_reused", "detail": "Another content."}', request=request)
    with pytest.raises(CliError, match="Another content"):
        accepted(other)
