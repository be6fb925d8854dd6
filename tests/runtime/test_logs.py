import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from quire_runtime import tracing
from quire_runtime.logs import get_logger, setup
from quire_runtime.settings import LogSettings

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _untouched() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("aiokafka", "uvicorn.error")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_every_record_is_one_json_line_with_service_time_and_level(capsys: pytest.CaptureFixture[str]):
    setup(LogSettings(format="json"), "ingest")
    get_logger("quire.test").info("batch started", batch_id="b", title="日本\n語")
    logging.getLogger("botocore.client").warning("slow %s", "bucket")
    ours, theirs = lines(capsys)
    assert ours["event"] == "batch started"
    assert (ours["service"], ours["level"], ours["batch_id"], ours["logger"]) == ("ingest", "info", "b", "quire.test")
    assert (theirs["event"], theirs["service"], theirs["level"]) == ("slow bucket", "ingest", "warning")
    assert str(ours["timestamp"]).endswith("Z")


def test_an_exception_is_part_of_its_record(capsys: pytest.CaptureFixture[str]):
    setup(LogSettings(format="json"), "ingest")
    get_logger("quire.test").error("failed", exc_info=ValueError("no"))
    (record,) = lines(capsys)
    assert "ValueError" in json.dumps(record["exception"])


def test_what_is_less_severe_than_the_level_is_not_written(capsys: pytest.CaptureFixture[str]):
    setup(LogSettings(format="json", level="warning"), "ingest")
    get_logger("quire.test").info("chatter")
    assert capsys.readouterr().err == ""


def test_a_library_that_repeats_itself_is_heard_once_in_a_while(capsys: pytest.CaptureFixture[str]):
    setup(LogSettings(format="json"), "ingest")
    for _ in range(50):
        logging.getLogger("aiokafka.client").error("Unable connect to node with id %s: %s", 1, "refused")
    logging.getLogger("aiokafka.client").error("something else")
    assert [record["event"] for record in lines(capsys)] == ["Unable connect to node with id 1: refused", "something else"]


def test_the_trace_goes_on_in_logs(capsys: pytest.CaptureFixture[str]):
    setup(LogSettings(format="json"), "ingest")
    tracing.bind(PARENT)
    get_logger("quire.test").info("one")
    tracing.bind(None)
    get_logger("quire.test").info("two")
    one, two = lines(capsys)
    assert one["traceparent"] == PARENT
    assert "traceparent" not in two


def test_a_continued_trace_keeps_its_id_and_gets_a_new_span():
    child = tracing.continued(PARENT)
    assert tracing.parse(child) == child
    assert child[:36] == PARENT[:36]
    assert child != PARENT
    assert child.endswith("-01")


@pytest.mark.parametrize("bad", [None, "", "nonsense", "ff" + PARENT[2:], PARENT.upper(), f"00-{'0' * 32}-{PARENT[36:]}"])
def test_a_traceparent_that_is_none_begins_a_new_trace(bad: str | None):
    assert tracing.parse(bad) is None
    assert tracing.parse(tracing.continued(bad)) is not None


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_tells_where_and_not_the_values_that_were_there(form: Any, capsys: pytest.CaptureFixture[str]):
    setup(LogSettings(format=form), "ingest")

    def connect(password: str) -> None:
        raise OSError(f"{len(password)} characters did not do")

    try:
        connect("hunter2")
    except OSError:
        get_logger("quire.test").exception("broke")
    told = capsys.readouterr().err
    assert "characters did not do" in told
    assert "test_logs.py" in told
    assert "hunter2" not in told.replace('connect("hunter2")', "")
