"""What can be known of the images and of Compose without a Docker engine; test_images_live and test_compose_live see the rest."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.deploy.dockerfiles import COMPOSE, DEEDS, DOCKERFILE, IMAGES, JWT, ROOT, SERVICES, STANDINS, compose, seconds, stages

from quire_ingest.settings import IngestSettings
from quire_notifier.settings import NotifierSettings
from quire_processor.settings import ProcessorSettings
from quire_runtime.settings import describe, load

SETTINGS: dict[str, Any] = {"ingest": IngestSettings, "processor": ProcessorSettings, "notifier": NotifierSettings}
DOCKERFILES = (DOCKERFILE, STANDINS / "Dockerfile")
OURS = [name for name, service in compose()["services"].items() if service["image"].startswith("quire-")]
FOREIGN = sorted(compose()["services"].keys() - OURS)


def tool(name: str) -> str:
    """A program of the environment that these tests run in."""
    return str(Path(sys.executable).parent / name)


def service_of(name: str) -> str:
    """`prepare-notifier` → `notifier`."""
    return str(compose()["services"][name]["image"]).removeprefix("quire-").partition(":")[0]


def environment(name: str, secrets: Path) -> dict[str, str]:
    """What the container is started with: what its image says, and what Compose says, with mounted secrets in `secrets`."""
    given = {key: value or "" for key, value in compose()["services"][name].get("environment", {}).items()}
    mounted = {key: value.replace("/run/secrets", str(secrets)) for key, value in given.items()}
    return stages(DOCKERFILE)[service_of(name)].env | mounted | {"QUIRE_SCRATCH_DIR": str(secrets)}


@pytest.fixture(scope="module")
def shares() -> ModuleType:
    sys.path.insert(0, str(ROOT / "requirements"))
    try:
        import shares  # type: ignore[import-not-found]  # noqa: PLC0415 - a script beside its files, no package
    finally:
        sys.path.pop(0)
    return shares


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make-secrets` makes them."""
    directory = tmp_path_factory.mktemp("compose")
    shutil.copy(ROOT / "deploy" / "compose" / "make-secrets", directory)
    subprocess.run([directory / "make-secrets"], check=True)
    return directory / "secrets"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_has_nothing_to_say(dockerfile: Path) -> None:
    done = subprocess.run([tool("hadolint"), dockerfile], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_has_nothing_to_say() -> None:
    candidates = [path for top in ("deploy", "tests", ".ci") for path in (ROOT / top).rglob("*") if path.is_file()]
    scripts = [path for path in candidates if re.match(rb"#!.*\b(?:ba)?sh\n", path.read_bytes()[:64])]
    assert len(scripts) >= 8
    done = subprocess.run([tool("shellcheck"), *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("image", [*IMAGES, "build"])
def test_an_image_installs_its_share_of_the_pins_and_nothing_else(image: str, shares: ModuleType) -> None:
    written = (ROOT / "requirements" / f"{image}.txt").read_text("utf-8")
    assert written == shares.share(image), "run make requirements"


@pytest.mark.parametrize("image", SERVICES)
def test_only_the_processor_brings_pdf_libraries(image: str, shares: ModuleType) -> None:
    brought = shares.closure(shares.IMAGES[image]) & {"pypdf", "pypdfium2", "pillow"}
    assert bool(brought) == (image == "processor")


def test_what_is_tried_inside_of_the_processor_s_image_imports_only_what_is_installed_there(shares: ModuleType) -> None:
    imported: set[str] = set()
    for statement in ast.walk(ast.parse(DEEDS.read_text("utf-8"))):
        if isinstance(statement, ast.ImportFrom):
            imported.add(str(statement.module))
        elif isinstance(statement, ast.Import):
            imported |= {alias.name for alias in statement.names}
    foreign = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names - {"quire_processor"}
    brings = packages_distributions()
    distributions = {distribution.lower() for name in foreign for distribution in brings.get(name, [name])}
    assert distributions <= shares.closure(shares.IMAGES["processor"])


def test_no_image_is_named_without_a_version() -> None:
    named = {service["image"] for service in compose()["services"].values()}
    for dockerfile in DOCKERFILES:
        defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile.read_text("utf-8"), re.MULTILINE))
        own = stages(dockerfile)
        bases = {re.sub(r"\$\{(\w+)\}", lambda match: defaults[match[1]], stage.base) for stage in own.values()}  # noqa: B023
        named |= bases - own.keys() - {"scratch"}
    assert len(named) > 8
    for image in named:
        tag = image.partition(":")[2]
        assert tag[:1].isdigit() or tag == "bookworm-slim", image


def test_the_tags_of_our_images_are_the_version_of_what_is_in_them(shares: ModuleType) -> None:
    versions = {
        tomllib.loads((path / "pyproject.toml").read_text("utf-8"))["project"]["version"] for path in shares.OURS.values()
    }
    tags = {compose()["services"][name]["image"].partition(":")[2] for name in OURS}
    assert tags == versions


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_in_particular(image: str) -> None:
    stage = stages(DOCKERFILE)[image]
    assert stage.last["USER"] == "10001:10001"
    assert stage.env["PYTHONSAFEPATH"] == "1", "else workers may read all that is below the working directory"
    assert "CMD" not in stage.last, "it would be taken for a command of the service"


@pytest.mark.parametrize("image", SERVICES)
def test_an_image_fits_the_settings_of_its_service(image: str) -> None:
    stage, settings = stages(DOCKERFILE)[image], {item.env: item for item in describe(SETTINGS[image])}
    ours = {name for name in stage.env if name.startswith("QUIRE_")}
    assert ours <= settings.keys()
    assert ours >= settings.keys() & {"QUIRE_HTTP_HOST", "QUIRE_OPS_HOST", "QUIRE_SCRATCH_DIR"}
    assert stage.env["QUIRE_OPS_PORT"] == settings["QUIRE_OPS_PORT"].default
    ports = {settings[name].default for name in ("QUIRE_HTTP_PORT", "QUIRE_OPS_PORT") if name in settings}
    assert {str(port) for port in stage.ports} == ports
    assert stage.last["ENTRYPOINT"] == f'["python", "-m", "quire_{image}"]'
    assert stage.last["VOLUME"] == stage.env["TMPDIR"] == stage.env.get("QUIRE_SCRATCH_DIR", "/scratch") == "/scratch"


def test_the_context_of_a_build_is_a_list_of_what_may_go_in() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert not any(line.startswith(("!.", "!deploy/compose", "!*")) for line in lines)


@pytest.mark.parametrize("name", [name for name in OURS if name != "cli"])
def test_compose_gives_a_service_settings_that_it_takes(name: str, secrets: Path) -> None:
    given, service = environment(name, secrets), service_of(name)
    known = {item.env for item in describe(SETTINGS[service])}
    in_compose = {key for key in compose()["services"][name]["environment"] if key.startswith("QUIRE_")}
    assert {key.removesuffix("_FILE") for key in in_compose} <= known
    settings = load(SETTINGS[service], given)
    assert settings.s3.secret_key == (secrets / "s3_secret_key").read_text()
    assert settings.prepare.make is name.startswith("prepare-")


def test_a_service_has_the_time_to_stop_that_it_asks_for(secrets: Path) -> None:
    services = compose()["services"]
    of = {name: load(SETTINGS[name], environment(name, secrets)) for name in SERVICES}
    assert seconds(services["ingest"]["stop_grace_period"]) > of["ingest"].shutdown_seconds
    assert seconds(services["processor"]["stop_grace_period"]) > of["processor"].hand_over_seconds
    assert seconds(services["notifier"]["stop_grace_period"]) > of["notifier"].drain_seconds


@pytest.mark.parametrize("name", compose()["services"])
def test_a_container_may_do_no_more_than_it_must(name: str) -> None:
    service = compose()["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") or name == "kafka"
    assert not service.get("privileged")
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    user = service.get("user", "1000" if name == "kafka" else "10001" if name in OURS else "0")
    assert user.partition(":")[0] != "0"


def test_only_the_proxy_is_reached_from_outside_and_only_on_the_loopback_address() -> None:
    services, networks = compose()["services"], compose()["networks"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"proxy": ["127.0.0.1:8000:8000"]}
    assert networks["back"] == {"internal": True}
    assert all(services[name]["networks"] == ["back"] for name in services if name not in ("proxy", "cli"))


def test_the_proxy_knows_the_ports_of_the_services() -> None:
    caddyfile = (ROOT / "deploy" / "compose" / "Caddyfile").read_text()
    upstreams = dict(re.findall(r"reverse_proxy (\w+):(\d+)", caddyfile))
    defaults = {name: {item.env: item.default for item in describe(SETTINGS[name])} for name in SERVICES}
    assert upstreams == {name: defaults[name]["QUIRE_HTTP_PORT"] for name in ("ingest", "notifier")}
    assert "max_size" not in caddyfile, "ingest's own refusal says more, and Caddy's is a 502"


def test_no_secret_is_in_the_environment() -> None:
    for name in OURS:
        secret = {item.env for item in describe(SETTINGS.get(service_of(name), IngestSettings)) if item.secret}
        assert not secret & compose()["services"][name].get("environment", {}).keys()


def test_secrets_are_made_once(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    subprocess.run([secrets.parent / "make-secrets"], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert secrets.stat().st_mode & 0o777 == 0o700
    named = {Path(secret["file"]).name for path in (COMPOSE, JWT) for secret in compose(path)["secrets"].values()}
    assert before.keys() == named
    assert len(set(before.values())) == len(before)


def test_every_image_that_compose_wants_has_a_stand_in() -> None:
    built = re.search(r"^for image in (.+); do$", (STANDINS / "build").read_text(), re.MULTILINE)
    assert built
    assert set(built[1].split()) == {compose()["services"][name]["image"] for name in FOREIGN}


def test_compose_itself_finds_the_files_valid() -> None:
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False) if shutil.which("docker") else None
    if asked is None or asked.returncode:
        pytest.skip("docker compose is not installed here")
    for files in ([COMPOSE], [COMPOSE, JWT]):
        named = [part for path in files for part in ("--file", path)]
        command = ["docker", "compose", *named, "--profile", "cli", "config", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
