import json
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from quire_runtime.command import check_config, run
from quire_runtime.settings import (
    AuthSettings,
    HttpSettings,
    KafkaSettings,
    OpsSettings,
    PostgresSettings,
    S3Settings,
    SettingsError,
    describe,
    load,
    values,
)


class Example(Struct, frozen=True, kw_only=True):
    postgres: PostgresSettings
    kafka: KafkaSettings = KafkaSettings()
    s3: S3Settings = S3Settings()
    ops: OpsSettings = OpsSettings(port=9101)
    http: HttpSettings = HttpSettings(port=8001)
    auth: AuthSettings = AuthSettings()
    origins: Annotated[tuple[str, ...], Meta(description="Origins.")] = ("http://localhost:8000",)
    batch_size: Annotated[int, Meta(ge=1, le=100, description="Files per batch.")] = 25
    verbose: Annotated[bool, Meta(description="Says more.")] = False


ENOUGH = {"QUIRE_POSTGRES_DSN": "postgresql://quire:hunter2@127.0.0.1/quire"}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(Example, environ)
    return caught.value.problems


def test_a_field_is_a_variable_and_a_struct_a_prefix():
    settings = load(
        Example, ENOUGH | {"QUIRE_KAFKA_PARTITIONS": "6", "QUIRE_VERBOSE": "true", "QUIRE_AUTH_LEEWAY_SECONDS": "2.5"}
    )
    assert (settings.kafka.partitions, settings.verbose, settings.auth.leeway_seconds) == (6, True, 2.5)
    assert settings.kafka.topic == "quire.batches"


def test_the_outer_default_decides_for_a_struct_within():
    assert load(Example, ENOUGH).http.port == 8001
    assert load(Example, ENOUGH | {"QUIRE_HTTP_HOST": "::1"}).http == HttpSettings(host="::1", port=8001)


def test_a_list_is_comma_separated():
    assert load(Example, ENOUGH | {"QUIRE_ORIGINS": "http://a, http://b,"}).origins == ("http://a", "http://b")


def test_a_variable_set_to_nothing_is_not_set():
    assert load(Example, ENOUGH | {"QUIRE_BATCH_SIZE": ""}).batch_size == 25


@pytest.mark.parametrize(
    "name", ["QUIRE_KAFKA_SESSION_TIMEOUT", "QUIRE_KAFKA_SESSION_TIMEOUT_S", "QUIRE_KAFKA_SESSION_TIMEOUT_SECONDS"]
)
def test_a_setting_in_seconds_is_known_by_its_former_names_too(name: str):
    assert load(Example, ENOUGH | {name: "7"}).kafka.session_timeout_seconds == 7
    with pytest.raises(SettingsError, match="Unset all but QUIRE_KAFKA_SESSION_TIMEOUT_SECONDS"):
        load(Example, ENOUGH | {"QUIRE_KAFKA_SESSION_TIMEOUT": "7", "QUIRE_KAFKA_SESSION_TIMEOUT_S": "8"})


def test_all_problems_are_told_at_once_and_each_says_what_to_do():
    found = problems({"QUIRE_BATCH_SIZE": "many", "QUIRE_KAFKA_PARTITIONS": "0", "QUIRE_S3_ENDPOINT": "127.0.0.1:9000"})
    assert [problem.partition(":")[0] for problem in found] == [
        "QUIRE_POSTGRES_DSN",
        "QUIRE_KAFKA_PARTITIONS",
        "QUIRE_BATCH_SIZE",
    ]
    assert all("Set it to" in problem for problem in found)


def test_what_a_group_knows_about_itself_is_told():
    assert problems(ENOUGH | {"QUIRE_S3_ACCESS_KEY": "a"}) == [
        "QUIRE_S3_ACCESS_KEY, QUIRE_S3_SECRET_KEY: only one of them is set. Set both, or neither"
    ]
    assert "QUIRE_S3_ENDPOINT" in problems(ENOUGH | {"QUIRE_S3_ENDPOINT": "127.0.0.1:9000"})[0]
    assert "QUIRE_POSTGRES_DSN" in problems({"QUIRE_POSTGRES_DSN": "host=a password=hunter2"})[0]
    assert "SASL" in problems(ENOUGH | {"QUIRE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"})[0]


def test_a_secret_is_read_from_the_file_that_is_mounted(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef0123456789abcdef\n")
    settings = load(Example, ENOUGH | {"QUIRE_AUTH": "jwt", "QUIRE_AUTH_SECRET_FILE": str(file)})
    assert settings.auth.secret == "0123456789abcdef0123456789abcdef"


def test_a_file_that_cannot_be_read_and_a_value_given_twice_are_problems(tmp_path: Path):
    found = problems(
        {"QUIRE_POSTGRES_DSN_FILE": str(tmp_path / "none"), "QUIRE_S3_SECRET_KEY": "x", "QUIRE_S3_SECRET_KEY_FILE": "y"}
    )
    assert "cannot be read" in found[0]
    assert "Unset one" in found[1]


def test_a_wrong_secret_is_not_repeated_in_the_problem():
    class Odd(Struct, frozen=True):
        pin: Annotated[int, Meta(description="Pin.", extra={"secret": True})]

    with pytest.raises(SettingsError) as caught:
        load(Odd, {"QUIRE_PIN": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_secrets_are_never_shown():
    settings = load(Example, ENOUGH)
    assert "hunter2" not in repr(values(settings))
    assert values(settings)["QUIRE_KAFKA_PARTITIONS"] == "24"
    assert next(item for item in describe(Example) if item.env == "QUIRE_POSTGRES_DSN").default is None


def test_every_variable_has_a_description():
    assert [item.env for item in describe(Example) if not item.description] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_everybody_may_do_everything_on_a_loopback_address(host: str):
    assert load(Example, ENOUGH | {"QUIRE_HTTP_HOST": host}).auth.mode == "none"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "quire.example"])
def test_an_open_port_without_access_control_has_to_be_asked_for(host: str):
    assert "QUIRE_AUTH" in problems(ENOUGH | {"QUIRE_HTTP_HOST": host})[0]
    assert load(Example, ENOUGH | {"QUIRE_HTTP_HOST": host, "QUIRE_AUTH": "none"}).auth.mode == "none"


def test_every_page_may_come_in_only_where_a_token_is_asked_for():
    every = ENOUGH | {"QUIRE_ORIGINS": "http://localhost:8000,*"}
    for environ in (every, every | {"QUIRE_AUTH": "none", "QUIRE_HTTP_HOST": "0.0.0.0"}):
        [problem] = problems(environ)
        assert problem.startswith("QUIRE_ORIGINS: * would let any page")
    assert load(Example, every | {"QUIRE_AUTH": "jwt", "QUIRE_AUTH_SECRET": "x" * 32}).origins[1] == "*"


def test_a_group_that_is_taken_for_granted_is_taken_so_only_if_it_is_no_http_service():
    class Worker(Struct, frozen=True):
        ops: OpsSettings = OpsSettings(host="0.0.0.0")

    assert load(Worker, {}).ops.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({}, "exactly one"),
        ({"QUIRE_AUTH_SECRET": "short"}, "32 bytes"),
        ({"QUIRE_AUTH_SECRET": "x" * 32, "QUIRE_AUTH_JWKS_URL": "https://a/jwks"}, "exactly one"),
        ({"QUIRE_AUTH_SECRET": "x" * 32, "QUIRE_AUTH_ALGORITHMS": "RS256"}, "QUIRE_AUTH_ALGORITHMS"),
        ({"QUIRE_AUTH_JWKS_URL": "https://a/jwks", "QUIRE_AUTH_ALGORITHMS": "HS256"}, "QUIRE_AUTH_ALGORITHMS"),
        ({"QUIRE_AUTH_JWKS_URL": "file:///etc/passwd"}, "no URL"),
        ({"QUIRE_AUTH_KEY_FILE": "/nowhere"}, "no file"),
    ],
)
def test_keys_that_do_not_fit_are_refused(environ: dict[str, str], word: str):
    assert word in problems(ENOUGH | {"QUIRE_AUTH": "jwt"} | environ)[0]


def test_check_config_prints_every_variable_and_redacts(capsys: pytest.CaptureFixture[str]):
    assert check_config(Example, [], ENOUGH) == 0
    out = capsys.readouterr().out
    assert "QUIRE_KAFKA_TOPIC" in out
    assert "quire.batches" in out
    assert "hunter2" not in out


def test_check_config_as_json_says_what_is_set_and_what_is_wrong(capsys: pytest.CaptureFixture[str]):
    assert check_config(Example, ["--json"], {"QUIRE_BATCH_SIZE": "0"}) == 2
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert {row["env"] for row in answer["settings"] if row["set"]} == {"QUIRE_BATCH_SIZE"}
    assert len(answer["problems"]) == 2
    assert captured.err.count("Set it to") == 2


def test_a_service_refuses_to_start_with_wrong_settings(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("QUIRE_POSTGRES_DSN", raising=False)

    async def serve(_settings: Example) -> None:
        pytest.fail("it started")

    assert run(Example, serve, []) == 2
    assert "QUIRE_POSTGRES_DSN" in capsys.readouterr().err


def test_an_unknown_command_names_those_there_are(capsys: pytest.CaptureFixture[str]):
    async def serve(_settings: Example) -> None: ...

    async def rebuild(_settings: Example, _argv: object) -> int:
        return 0

    assert run(Example, serve, ["rebuld"], {"rebuild": rebuild}) == 2
    assert "serve, check-config, rebuild" in capsys.readouterr().err
