"""Arguments, errors and help of the `quire` command, with nobody to talk to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from tests.cli.test_target import STACK
from tests.client.feed import view

from quire_cli.main import LIGHT, main
from quire_cli.services import tell_unknown
from quire_runtime.auth import Authenticator
from quire_runtime.settings import AuthSettings
from quire_schemas.views import Page

SECRET = "0123456789abcdef0123456789abcdef"
NOBODY = "http://127.0.0.1:1"
BATCHES = "0190e3a4-0000-4000-8000-000000000001", "7f0e3a45-0000-4000-8000-000000000002"


class Done(NamedTuple):
    code: object
    out: str
    err: str


Quire = Callable[..., Done]


@pytest.fixture
def quire(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Quire:
    """Runs the command in this process, in an empty directory, without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("QUIRE_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["quire", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return Done(end.value.code, *capsys.readouterr())

    return run


@pytest.mark.parametrize("name", [*LIGHT, "up"])
def test_every_command_has_help_with_an_example_of_itself(quire: Quire, name: str) -> None:
    done = quire(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert re.search(rf"Examples:\s+.*quire {name}", done.out)


def test_the_help_lists_every_command_and_every_exit_code(quire: Quire) -> None:
    done = quire("--help")
    assert done.code == 0
    for name in [*LIGHT, "up", "--install-completion", "--version"]:
        assert name in done.out
    assert re.search(r"Exit codes:.*0 .*1 .*2 .*130 ", done.out, re.DOTALL)


def test_without_a_command_there_is_help_and_exit_code_2(quire: Quire) -> None:
    done = quire()
    assert (done.code, "Usage: quire" in done.out) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("submit",), "quire: Name what to submit: PDF files, folders, patterns, or - for names from stdin, as in: quire submit"),
        (("submit", "/nowhere.pdf"), "quire: There is nothing to submit: no PDF was found there. Name PDF files, or folders"),
        (("submit", ".", "--policy", "kind"), "quire: 'kind' is no policy. Take one of: isolate, all_or_nothing"),
        (("batches", "--status", "done"), "quire: 'done' is no status. Take one of: queued, processing"),
        (("batches", "--limit", "x"), "quire: Invalid value for '--limit'"),
        (("batch",), "quire: Missing argument 'ID'. `quire batch --help` shows how it is used."),
        (("batch", "../x"), "quire: '../x' is no id of a batch. `quire batches` lists them."),
        (("sumbit",), "quire: No such command 'sumbit'. Did you mean 'submit'? `quire --help` shows how it is used."),
        (("batches", "--nope"), "quire: No such option: --nope. `quire batches --help` shows how it is used."),
        (("batches", "--url", "ftp://x"), "quire: 'ftp://x' is no address. Give one like http://127.0.0.1:8000"),
        (("batches", "--url", "http://[::1"), "is no address"),
        (("batches", "--url", "http://127.0.0.1:99999"), "is no address"),
        (("submit", ".", "--key", "ü"), "quire: 'ü' is no key. Take 1 to 200 printable ASCII characters."),
        (("submit", ".", "--key", "a\nb"), "is no key"),
        (("submit", ".", "-c", "a b"), "'a b' is no collection: it takes 1 to 128 of A-Z a-z 0-9 . _ -"),
        (("batches", "-c", "a/b"), "'a/b' is no collection"),
        (("stuck", "--older-than", "inf"), "quire: Invalid value for '--older-than'"),
        (("check-config", "nope"), "quire: nope: not installed here. There is: ingest, processor, notifier."),
        (("events",), "quire: No stack runs on .quire: start one with `quire up`, name its directory with --data, or say in"),
        (("up", "--processors", "0"), "quire: Invalid value for '--processors'"),
        (("up", "--port-offset", "60000"), "quire: --port-offset 60000 will not do; give a multiple of 100"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_that_says_what_to_do(
    quire: Quire, arguments: tuple[str, ...], sentence: str
) -> None:
    done = quire(*arguments)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", "one.pdf"),
        ("submit", "one.pdf", "--no-wait", "--json"),
        ("watch",),
        ("batches",),
        ("batch", "0190e3a4"),
        ("cancel", "0190e3a4-0000-4000-8000-000000000001"),
        ("retry", "0190e3a4-0000-4000-8000-000000000001"),
        ("stuck",),
    ],
)
def test_where_nobody_answers_every_command_says_so_at_once_and_what_to_do(quire: Quire, arguments: tuple[str, ...]) -> None:
    Path("one.pdf").write_bytes(b"%PDF-1")
    done = quire(*arguments, "--url", NOBODY)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"quire: Nothing answers at {NOBODY}. Start Quire with `quire up`, or name another address with --url or QUIRE_URL.\n"
    )


def test_files_that_cannot_be_read_are_named_before_anything_is_sent(quire: Quire) -> None:
    Path("one.pdf").write_bytes(b"%PDF-1")
    Path("folder").mkdir()
    Path("folder/note.txt").write_text("")
    done = quire("submit", "one.pdf", "gone.pdf", "folder", "--url", NOBODY)
    assert done.err.splitlines()[:2] == [
        "Cannot read gone.pdf: no such file or directory",
        "Skipped 1 file in folders whose names do not end in .pdf",
    ]


def test_what_is_wrong_in_the_settings_is_said_by_check_config(quire: Quire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIRE_BATCH_SIZE", "many")
    done = quire("check-config", "ingest", "--json")
    assert done.code == 2
    [line] = done.out.splitlines()
    assert json.loads(line)["service"] == "ingest"
    assert "QUIRE_BATCH_SIZE" in json.loads(line)["problems"][0]
    assert "QUIRE_BATCH_SIZE" in done.err
    plain = quire("check-config", "ingest")
    assert re.search(r"^# ingest\nQUIRE_KAFKA_BOOTSTRAP ", plain.out)


def test_a_setting_that_there_is_not_is_named_with_the_nearest_that_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("QUIRE_DRAIN_S", "QUIRE_KAFKA_BOOTSTRP", "QUIRE_S3_SECRET_KEY_FILE", "QUIRE_TOKEN_FILE", "QUIRE_ZZZZZZ"):
        monkeypatch.setenv(name, "x")
    tell_unknown("QUIRE_DRAIN_SECONDS\nQUIRE_KAFKA_BOOTSTRAP\nQUIRE_KAFKA_TOPIC\nQUIRE_S3_SECRET_KEY")
    words = ("DRAIN", "_BOOTSTRP", "_FILE", "ZZZ")
    assert [line for line in capsys.readouterr().err.splitlines() if any(word in line for word in words)] == [
        "QUIRE_DRAIN_S: it is called QUIRE_DRAIN_SECONDS now. The former name is still understood.",
        "QUIRE_KAFKA_BOOTSTRP: there is no such setting. Is QUIRE_KAFKA_BOOTSTRAP meant?",
        "QUIRE_ZZZZZZ: there is no such setting. Nothing is called like it.",
    ]


async def test_a_token_is_made_with_the_secret_at_hand(quire: Quire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "Start one with QUIRE_AUTH=jwt" in quire("token").err
    (tmp_path / ".quire").mkdir()
    (tmp_path / ".quire" / "stack.json").write_text(json.dumps(STACK | {"auth_secret": SECRET}))
    of_the_stack = quire("token").out.strip()
    monkeypatch.setenv("QUIRE_AUTH_SECRET", SECRET[::-1])
    narrow = quire("token", "-c", "a", "-c", "b-*", "--scope", "read", "--subject", "me").out.strip()
    everything = await Authenticator(AuthSettings(mode="jwt", secret=SECRET)).of_token(of_the_stack)
    assert (everything.may_read("x"), everything.may_write("x"), everything.subject) == (True, True, "quire-token")
    little = await Authenticator(AuthSettings(mode="jwt", secret=SECRET[::-1])).of_token(narrow)
    assert (little.may_read("b-1"), little.may_read("c"), little.may_write("a"), little.subject) == (True, False, False, "me")
    assert "admin: no such scope" in quire("token", "--scope", "admin").err


def completed(*words: str, url: str = NOBODY) -> list[str]:
    """What bash offers for the last of these; ids come from whoever answers at the address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUIRE_")} | {"QUIRE_URL": url}
    asked = {"_QUIRE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    command = [sys.executable, "-c", "import sys; sys.argv = ['quire']; from quire_cli.main import main; main()"]
    done = subprocess.run(command, env=environment | asked, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


def test_a_shell_completes_commands_options_and_values() -> None:
    assert completed("quire", "sub") == ["submit"]
    assert "--policy" in completed("quire", "submit", "--po")
    assert completed("quire", "submit", "--policy", "all") == ["all_or_nothing"]


class Listing(BaseHTTPRequestHandler):
    """A notifier that knows two batches."""

    def do_GET(self) -> None:
        body = msgspec.json.encode(Page(items=[view(batch_id) for batch_id in BATCHES], next_cursor=None))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def listing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Listing) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_a_shell_offers_the_ids_of_the_address_that_is_meant_and_nothing_where_nobody_answers(listing: str) -> None:
    assert completed("quire", "batch", "", url=listing) == list(BATCHES)
    assert completed("quire", "batch", "019", url=listing) == [BATCHES[0]]
    assert completed("quire", "batch", "") == []


def test_only_up_and_help_pay_for_importing_the_embedded_stack() -> None:
    source = "import sys; sys.argv = ['quire', {!r}]; import quire_cli.main; print('quire_local' in sys.modules)"
    for name, loaded in (("submit", "False"), ("batches", "False"), ("up", "True")):
        done = subprocess.run([sys.executable, "-c", source.format(name)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == loaded
