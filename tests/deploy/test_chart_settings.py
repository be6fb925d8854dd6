"""That the services can read what the chart tells them, and that its numbers are theirs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.deploy.chart import Object, Values, containers, find, notes, pods, render
from tests.deploy.manifests import MANIFEST, OWN, SCHEMA, SETTINGS, manifest, schema, settings_schemas
from tests.deploy.scenarios import DEMO, LEAST, OPTIONS, SCENARIOS, over

from quire_ingest.submission import CLEAN_UP_SECONDS
from quire_notifier.main import SHUTDOWN_SECONDS
from quire_runtime.settings import describe, load

EVERY = pytest.mark.parametrize("values", SCENARIOS.values(), ids=SCENARIOS)
COMMANDS = {"prepare": {"processor", "notifier"}, "sweep": {"ingest"}, "rebuild": {"notifier"}}
SECRETS = "/run/secrets/quire"
SHARED = settings_schemas()["settings"]["properties"].keys()


def environment(objects: list[Object], container: Object) -> dict[str, str]:
    """The variables of a container."""
    maps = {made["metadata"]["name"]: made["data"] for made in objects if made["kind"] == "ConfigMap"}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    return found | {item["name"]: item["value"] for item in container.get("env", []) if "value" in item}


def told(objects: list[Object]) -> list[tuple[str, str, dict[str, str], Object]]:
    """Component, service, variables and pod of every container that runs one of the services."""
    return [
        (
            component,
            container["name"] if component == "prepare" else min(COMMANDS.get(component, {component})),
            environment(objects, container),
            pod,
        )
        for component, pod in pods(objects)
        for container in containers(pod)
        if component in {*SETTINGS, *COMMANDS}
    ]


def in_a_container(variables: dict[str, str], directory: Path, port: int) -> dict[str, str]:
    """As the image adds to them, with the mounted secrets in a directory of ours."""
    here = {name: text.replace(SECRETS, str(directory)) for name, text in variables.items()}
    for name in variables:
        content = "postgresql://user:password@postgres:5432/quire" if "DSN" in name else "a secret of thirty-two bytes and more"
        (directory / name).write_text(content, "utf-8")
    image = {"QUIRE_HTTP_HOST": "0.0.0.0", "QUIRE_OPS_HOST": "0.0.0.0", "QUIRE_OPS_PORT": str(port), "QUIRE_LOG_FORMAT": "json"}
    return {**image, "QUIRE_SCRATCH_DIR": str(directory), **here}


@EVERY
def test_every_service_and_job_can_start_with_what_it_is_told(values: Values, tmp_path: Path):
    for _, service, variables, _ in told(render(values)):
        load(SETTINGS[service], in_a_container(variables, tmp_path, 9100))


@EVERY
def test_every_variable_is_one_that_the_service_knows(values: Values):
    for component, service, variables, _ in told(render(values)):
        known = {item.env for item in describe(SETTINGS[service])}
        unknown = {name for name in variables if name.startswith("QUIRE_")} - known - {f"{name}_FILE" for name in known} - SHARED
        assert not unknown, component


@EVERY
def test_every_secret_that_is_named_is_mounted_and_every_mounted_one_is_named(values: Values):
    for component, _, variables, pod in told(render(values)):
        named = {path.rpartition("/")[2] for path in variables.values() if path.startswith(SECRETS)}
        projected = [volume["projected"]["sources"] for volume in pod["spec"]["volumes"] if "projected" in volume]
        mounted = {item["path"] for sources in projected for source in sources for item in source["secret"]["items"]}
        assert named == mounted, component


def test_authorities_of_ones_own_reach_the_libraries_that_look_for_them():
    found = {component: variables for component, _, variables, _ in told(render(SCENARIOS["authorities of one's own"]))}
    assert {name for name, variables in found.items() if "AWS_CA_BUNDLE" in variables} == {
        "ingest",
        "processor",
        "notifier",
        "prepare",
    }
    assert {name for name, variables in found.items() if "PGSSLROOTCERT" in variables} == {"processor", "notifier", "prepare"}


def test_sweep_asks_the_notifier_with_a_token_of_its_own():
    (variables, pod) = next((row[2], row[3]) for row in told(render(SCENARIOS["maintenance"])) if row[0] == "sweep")
    assert variables["QUIRE_NOTIFIER_URL"] == "http://quire-notifier:8000"
    (token,) = [item for item in containers(pod)[0]["env"] if item["name"] == "QUIRE_TOKEN"]
    assert token["valueFrom"] == {"secretKeyRef": {"name": "quire-sweep", "key": "token"}}


@pytest.mark.parametrize("option", ["http route", "ingress"])
def test_behind_a_gateway_that_is_not_named_all_clients_count_as_one_address_and_the_notes_say_so(option: str):
    named = over(SCENARIOS[option], {"notifier": {"config": {"QUIRE_TRUSTED_PROXIES": "10.244.0.0/16,fd00::/8"}}})
    assert find(render(named), "ConfigMap", "notifier")["data"]["QUIRE_TRUSTED_PROXIES"] == "10.244.0.0/16,fd00::/8"
    assert "All clients count as one address" not in notes(named)
    assert "All clients count as one address, which may have 1,000" in notes(SCENARIOS[option])
    assert "All clients count as one address" not in notes(LEAST)


@EVERY
def test_no_secret_is_written_into_a_variable(values: Values):
    secret = {item.env for cls in SETTINGS.values() for item in describe(cls) if item.secret}
    assert [name for _, _, variables, _ in told(render(values)) for name in secret & variables.keys()] == []


def test_ports_are_those_of_the_settings():
    objects = render(LEAST)
    for service, cls in SETTINGS.items():
        defaults = {item.env: item.default for item in describe(cls)}
        expected = {"ops": int(defaults["QUIRE_OPS_PORT"] or 0)}
        if "QUIRE_HTTP_PORT" in defaults:
            expected["http"] = int(defaults["QUIRE_HTTP_PORT"] or 0)
            (port,) = find(objects, "Service", service)["spec"]["ports"]
            assert (port["port"], port["targetPort"]) == (expected["http"], "http")
        (container,) = containers(find(objects, "Deployment", service)["spec"]["template"])
        assert {port["name"]: port["containerPort"] for port in container["ports"]} == expected


def test_what_one_sets_reaches_the_service_as_it_was_written(tmp_path: Path):
    objects = render(SCENARIOS["settings"])
    read = {
        service: load(SETTINGS[service], in_a_container(variables, tmp_path, 9100))
        for component, service, variables, _ in told(objects)
        if component in SETTINGS
    }
    assert read["processor"].max_characters == 20_000_000
    assert read["ingest"].batch_size == read["notifier"].batch_size == 10
    assert read["ingest"].log.level == "debug"
    assert read["notifier"].log.level == "warning"
    assert read["notifier"].max_sockets_per_address == 0


@pytest.mark.parametrize("values", [LEAST, SCENARIOS["settings"]], ids=["as it comes", "with other times"])
def test_a_pod_is_given_the_time_that_its_service_takes_to_end(values: Values, tmp_path: Path):
    objects = render(values)
    for component, service, variables, pod in told(objects):
        if component in SETTINGS:
            settings = load(SETTINGS[service], in_a_container(variables, tmp_path, 9100))
            takes = {
                "ingest": lambda it: it.shutdown_seconds + CLEAN_UP_SECONDS,
                "processor": lambda it: it.hand_over_seconds,
                "notifier": lambda it: it.drain_seconds + SHUTDOWN_SECONDS,
            }[service](settings)
            (container,) = containers(pod)
            sleeps = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            assert pod["spec"]["terminationGracePeriodSeconds"] >= sleeps + takes + 5


def test_a_changed_setting_rolls_the_services_that_it_concerns_and_no_other():
    def checksums(values: Values) -> dict[str, str]:
        deployments = [made for made in render(values) if made["kind"] == "Deployment"]
        return {
            made["metadata"]["name"]: made["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
            for made in deployments
        }

    before = checksums(LEAST)
    after = checksums(over(LEAST, {"ingest": {"config": {"QUIRE_MAX_FILES": 5}}}))
    assert {name for name in before if before[name] != after[name]} == {"quire-ingest"}
    after = checksums(over(LEAST, {"config": {"QUIRE_LOG_LEVEL": "debug"}}))
    assert {name for name in before if before[name] != after[name]} == before.keys()


def test_a_job_that_does_something_else_is_another_job():
    def name(values: Values) -> str:
        (job,) = [made for made in render(values) if made["kind"] == "Job"]
        return job["metadata"]["name"]

    assert name(LEAST) == name(over(LEAST, {"ingest": {"replicas": 3}}))
    for change in ({"image": {"tag": "0.2.0"}}, {"kafka": {"partitions": 48}}, {"postgres": {"roles": {"notifier": "other"}}}):
        assert name(over(LEAST, change)) != name(LEAST)


def test_only_prepare_makes_things_and_only_it_and_rebuild_are_the_owner():
    owner = set()
    for component, _, variables, pod in told(render(over(DEMO, OPTIONS["maintenance"]))):
        assert variables.get("QUIRE_PREPARE", "true") == ("false" if component in SETTINGS else "true")
        assert ("QUIRE_PREPARE_GRANT_TO" in variables) == (component in {"prepare", "rebuild"})
        owner |= {component} if "owner-dsn" in str(pod["spec"]["volumes"]) else set()
    assert owner == {"prepare", "rebuild"}


@pytest.mark.parametrize(
    ("option", "ingest_url", "origins"),
    [
        ("the least", "http://127.0.0.1:8001", "http://localhost:8000,http://127.0.0.1:8000"),
        ("http route", "", "https://quire.example.com"),
        ("ingress", "https://upload.quire.example.com", "https://quire.example.com"),
        ("demo behind an ingress", "http://upload.quire.example.com", "http://quire.example.com"),
        ("own route", "https://upload.example.com", "https://quire.example.com"),
    ],
)
def test_pages_upload_to_where_the_route_leads_and_may(option: str, ingest_url: str, origins: str):
    objects = render(SCENARIOS[option])
    ingest, notifier = (find(objects, "ConfigMap", name)["data"] for name in ("ingest", "notifier"))
    assert notifier["QUIRE_INGEST_URL"] == ingest_url
    assert notifier["QUIRE_ORIGINS"] == ingest["QUIRE_ORIGINS"] == origins


def test_every_setting_can_be_set_by_values_or_is_the_charts_own():
    for service, cls in SETTINGS.items():
        settable = settings_schemas()[f"{service}Settings"]["properties"].keys() | SHARED
        assert {item.env for item in describe(cls)} <= settable | OWN


def test_the_schema_of_the_values_is_in_step_with_the_settings():
    assert SCHEMA.read_text("utf-8") == schema(), "make manifests"
    msgspec.json.decode(SCHEMA.read_bytes())


def test_the_manifest_for_kubectl_is_in_step_with_the_chart():
    assert MANIFEST.read_text("utf-8") == manifest(), "make manifests"
