"""The deployment files: their schema, every reference in them, and that nothing in them asks for more than it needs."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.main import get_command

from core import settings as settings_module
from core.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("walkaround:")]
COMMANDS = [name for name in OURS if "entrypoint" not in SERVICES[name] and name != "flower"]
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|DATABASE_URL|BROKER_URL|ACCESS_KEY")


def sources(service: Mapping[str, Any]) -> set[str]:
    """The secrets of the document that a service is given."""
    return {entry if isinstance(entry, str) else entry["source"] for entry in service.get("secrets", [])}


def targets(service: Mapping[str, Any]) -> set[str]:
    """The same by the names of the files that the service finds."""
    return {entry if isinstance(entry, str) else entry["target"] for entry in service.get("secrets", [])}


def each(names: Iterable[str] = tuple(SERVICES)) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names)


def resolved(value: str) -> str:
    """A value as Compose would hand it over where no variable is set on the host."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def settings_of(service: Mapping[str, Any]) -> dict[str, str]:
    environment = service.get("environment", {})
    return {name: resolved(value) for name, value in environment.items() if name.startswith(PREFIX)}


def test_the_schema_holds() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


@each()
def test_what_a_service_refers_to_is_there(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= set(DOCUMENT["networks"])
    assert sources(service) <= set(DOCUMENT["secrets"])
    assert {config["source"] for config in service.get("configs", [])} <= set(DOCUMENT["configs"])
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(DOCUMENT["volumes"])


@pytest.mark.parametrize("kind", ["networks", "volumes"])
def test_nothing_is_declared_in_vain(kind: str) -> None:
    used = {entry.split(":")[0] for service in SERVICES.values() for entry in service.get(kind, [])}
    assert used == set(DOCUMENT[kind])


def test_no_secret_is_declared_in_vain() -> None:
    assert set.union(*map(sources, SERVICES.values())) == set(DOCUMENT["secrets"])


LOGINS = {
    "migrate": "owner",
    "classify": "worker",
    "classify-gpu": "worker",
    "intake": "ingest",
    "webhook": "ingest",
    "consumer": "ingest",
    "review": "reviewer",
    "beat": None,
    "flower": None,
}


@each(OURS)
def test_a_service_logs_into_the_database_with_the_least_it_needs(name: str) -> None:
    logins = [source.removeprefix("database_url_") for source in sources(SERVICES[name]) if "database_url" in source]
    assert logins == ([LOGINS[name]] if LOGINS.get(name) else [])


@each()
def test_what_a_service_waits_for_can_come(name: str) -> None:
    profiles = set(SERVICES[name].get("profiles", []))
    for other, how in SERVICES[name].get("depends_on", {}).items():
        needed = SERVICES[other]
        assert set(needed.get("profiles", [])) <= profiles, f"{other} is not started with {name}"
        if how["condition"] == "service_healthy":
            assert "test" in needed["healthcheck"]
            assert set(needed["networks"]) & set(SERVICES[name]["networks"]), f"{name} cannot reach {other}"
        else:
            assert how["condition"] == "service_completed_successfully"
            assert needed["restart"].startswith("on-failure"), f"{other} would be started again and again"


def test_nothing_waits_for_itself() -> None:
    def wait(name: str, waiting: tuple[str, ...]) -> Iterator[str]:
        assert name not in waiting, " -> ".join((*waiting, name))
        for other in SERVICES[name].get("depends_on", {}):
            yield from wait(other, (*waiting, name))
        yield name

    for name in SERVICES:
        assert list(wait(name, ()))


@each()
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "network_mode", "userns_mode"} & set(service)
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)
    if name not in OURS:
        assert service["user"].split(":")[0] not in ("0", "root")


@each()
def test_only_loopback_is_published(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert resolved(port).startswith("127.0.0.1:")
        assert "edge" in SERVICES[name]["networks"], "an internal network publishes nothing"


def test_broker_and_database_reach_nothing_and_are_reached_by_ours_only() -> None:
    assert DOCUMENT["networks"]["data"] == {"internal": True}
    assert SERVICES["broker"]["networks"] == SERVICES["database"]["networks"] == ["data"]
    assert {name for name, service in SERVICES.items() if "data" in service["networks"]} - set(OURS) == {
        "broker",
        "database",
    }


@each()
def test_images_are_pinned_to_a_version(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert tag
    assert tag != "latest"


@each()
def test_secrets_are_files(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable) and not variable.endswith(("_FILE", "_ARGS")):
            pytest.fail(f"{variable}={value} is a secret in the environment")
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in targets(SERVICES[name])
    said = str(SERVICES[name].get("command", "")) + str(SERVICES[name].get("healthcheck", ""))
    for secret in re.findall(r"/run/secrets/(\w+)", said):
        assert secret in targets(SERVICES[name])


ADDRESSES = {
    "walkaround_database_url": "postgresql+psycopg://walkaround:x@database/walkaround",
    "walkaround_broker_url": "redis://:x@broker:6379/0",
}


@each(OURS)
def test_settings_are_known_and_sufficient(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clean_environment: None
) -> None:
    service = SERVICES[name]
    if not settings_of(service):
        pytest.skip("runs without settings")
    for secret in targets(service):
        assert secret.removeprefix(PREFIX.lower()) in Settings.model_fields
        (tmp_path / secret).write_text(f"{ADDRESSES.get(secret, 'x' * 20)}\n")
    monkeypatch.setattr(settings_module, "SECRETS_DIR", tmp_path)
    for variable, value in settings_of(service).items():
        monkeypatch.setenv(variable, value)

    settings = load_settings()

    assert settings.store == "s3://returns"
    assert settings.metrics_port == 9100
    if "walkaround_database_url" in targets(service):
        assert settings.database_url.get_secret_value().startswith("postgresql")


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{variable.upper()}", raising=False)


@each(COMMANDS)
def test_commands_are_commands_of_ours(name: str) -> None:
    from cli.main import app

    command: Any = get_command(app)
    words = list(SERVICES[name]["command"])
    while hasattr(command, "commands"):
        assert words[0] in command.commands
        _, command, words = command.resolve_command(typer.Context(command), words)
    command.make_context(name, words)  # fails for options that are not there


@each([name for name in COMMANDS if name != "migrate"])
def test_every_worker_is_asked_whether_it_gets_on_and_given_time_to_end(name: str) -> None:
    service = SERVICES[name]
    assert service["stop_grace_period"] == "90s"
    port = "8080" if name == "webhook" else service["environment"]["WALKAROUND_METRICS_PORT"]
    assert f"127.0.0.1:{port}/healthz" in service["healthcheck"]["test"][-1]


def test_the_store_posts_to_the_webhook() -> None:
    store, webhook = SERVICES["store"]["environment"], SERVICES["webhook"]
    port = webhook["command"][webhook["command"].index("--port") + 1]
    assert store["RUSTFS_NOTIFY_WEBHOOK_ENDPOINT_WALKAROUND"] == f"http://webhook:{port}/events"
    assert store["RUSTFS_OUTBOUND_ALLOW_ORIGINS"] == f"http://webhook:{port}"
    assert SERVICES["bucket"]["environment"]["TARGET"] == "arn:rustfs:sqs:us-east-1:walkaround:webhook"
    assert settings_of(webhook)["WALKAROUND_STORE"] == f"s3://{SERVICES['bucket']['environment']['BUCKET']}"
    assert settings_of(webhook)["WALKAROUND_S3_ENDPOINT_URL"] == SERVICES["bucket"]["environment"]["ENDPOINT"]


SERVING = [name for name in COMMANDS if name != "migrate"]


def test_whoever_answers_on_metrics_can_be_scraped() -> None:
    (job,) = yaml.safe_load(DOCUMENT["configs"]["prometheus"]["content"])["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    assert sorted(discovery["names"]) == sorted(SERVING)
    for name in SERVING:
        assert settings_of(SERVICES[name])["WALKAROUND_METRICS_PORT"] == str(discovery["port"])
        assert "metrics" in SERVICES[name]["networks"], "Prometheus is in no other network of theirs"
    assert "data" not in SERVICES["prometheus"]["networks"]


def test_services_and_uploaders_have_keys_of_their_own() -> None:
    root = {"s3_root_access_key_id", "s3_root_secret_access_key"}
    assert {name for name, service in SERVICES.items() if root & sources(service)} == {"store", "bucket"}
    upload = {"upload_access_key_id", "upload_secret_access_key"}
    assert {name for name, service in SERVICES.items() if upload & sources(service)} == {"bucket"}


def test_other_machines_reach_what_they_are_pointed_at() -> None:
    """The overlay for nodes publishes broker and database, on the one address that is named and nowhere else."""
    nodes = yaml.safe_load((ROOT / "compose.nodes.yml").read_text())["services"]
    assert {name: service["ports"][0].rpartition(":")[2] for name, service in nodes.items()} == {
        "broker": "6379",
        "database": "5432",
    }
    for name, service in nodes.items():
        assert set(service["networks"]) == {*SERVICES[name]["networks"], "edge"}
        (port,) = service["ports"]
        assert port.startswith("${NODES_LISTEN:?"), "without an address it does not start"
        assert DOCUMENT["networks"]["edge"] in (None, {})


def test_only_the_gpu_worker_reserves_one() -> None:
    reserving = {name for name, service in SERVICES.items() if "reservations" in service["deploy"]["resources"]}
    assert reserving == {"classify-gpu"}
    assert SERVICES["classify-gpu"]["profiles"] == ["gpu"]
    assert SERVICES["classify-gpu"]["command"] == SERVICES["classify"]["command"]
    assert settings_of(SERVICES["classify-gpu"])["WALKAROUND_DEVICE"] == "gpu", "it must not fall to the CPU"


@each(COMMANDS)
def test_sizes_follow_from_the_limits_of_the_container(name: str) -> None:
    """A worker sizes itself by its quota and memory limit; a number here would contradict them on another machine."""
    assert not {"WALKAROUND_CONCURRENCY", "WALKAROUND_DECODE_PROCESSES"} & settings_of(SERVICES[name]).keys()
    assert {"cpus", "memory"} <= SERVICES[name]["deploy"]["resources"]["limits"].keys()


def test_no_image_takes_every_gpu_that_it_can_see() -> None:
    assert "NVIDIA_VISIBLE_DEVICES" not in DOCKERFILE, "whoever starts a container says which it gets"


def stages() -> dict[str, str]:
    """The Dockerfile's stages: name -> what it is made from."""
    return {name: source for source, name in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)}


@each(OURS)
def test_images_are_built_from_stages_that_exist(name: str) -> None:
    target = SERVICES[name]["build"]["target"]
    assert target in stages()
    assert SERVICES[name]["image"] == f"walkaround:{target}"


def test_the_dockerfile_s_own_references() -> None:
    known: set[str] = {"scratch"}
    for name, source in stages().items():
        assert source in known or ":" in source, f"{name} is made from {source}, which is not there"
        known.add(name)
    for source in re.findall(r"COPY --from=(\S+)", DOCKERFILE):
        assert source in known


def copied() -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [path for line in lines for path in line.split()]


@pytest.mark.parametrize("path", sorted(set(copied())))
def test_what_is_copied_exists_and_is_not_ignored(path: str) -> None:
    assert (ROOT / path).exists()
    assert f"!{path}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_image_holds_all_packages() -> None:
    packages = {entry.name for entry in ROOT.iterdir() if (entry / "__init__.py").exists()} - {"tests", "studies"}
    assert packages <= set(copied())


def test_secrets_never_enter_the_image() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not any("secret" in rule or ".env" in rule for rule in rules)


def test_libraries_are_locked_by_hash_and_no_one_runs_as_root() -> None:
    installs = re.findall(r"pip install (?:[^&]|\\\n)*?(?=\n(?!\s)|\Z)", DOCKERFILE)
    assert installs
    for install in installs:
        assert "--require-hashes" in install or "--no-deps" in install
    assert "://" not in DOCKERFILE
    for target in ("cpu", "gpu", "flower"):
        body = DOCKERFILE.split(f" AS {target}\n")[1].split("\nFROM ")[0]
        assert re.findall(r"^USER (\S+)", body, re.MULTILINE)[-1] == "10001:10001"
