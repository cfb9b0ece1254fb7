"""A whole deployment for tests: broker, database, S3 and SQS, and our own processes, each a real one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from db.session import Sessions, make_engine, make_sessions
from tests.servers import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, S3Server, start_valkey

WALKAROUND = (sys.executable, "-m", "cli.main")


@dataclass
class Deployment:
    """Settings shared by the processes, and the processes themselves by name.

    `logins` gives a process another database address than the common one: the same database with fewer rights.
    """

    environment: dict[str, str]
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)

    def start(self, name: str, *command: str, program: Sequence[str] = WALKAROUND) -> None:
        """Start `walkaround COMMAND` in a process group of its own; its log goes to a file."""
        login = {"WALKAROUND_DATABASE_URL": self.logins[name]} if name in self.logins else {}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*program, *command],
                env=self.environment | login,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """kill -9, the decoders of a worker too: what the kernel does when memory is out."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run `walkaround COMMAND` to its end."""
        line = [*WALKAROUND, *command]
        return subprocess.run(line, env=self.environment, capture_output=True, text=True, timeout=600, check=False)

    def log(self, name: str) -> str:
        """What a process has logged so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM to all; whoever is still there after the grace is killed."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()
        for engine in self.engines.values():
            engine.dispose()

    @property
    def sessions(self) -> Sessions:
        """The deployment's database."""
        url = self.environment["WALKAROUND_DATABASE_URL"]
        if url not in self.engines:
            self.engines[url] = make_engine(url)
        return make_sessions(self.engines[url])


@contextmanager
def deployment(folder: Path, database_url: str, **settings: object) -> Iterator[Deployment]:
    """A broker of its own, and the settings that all processes share; everything is ended after."""
    folder.mkdir(parents=True, exist_ok=True)
    broker = start_valkey(folder / "valkey")
    values = {"database_url": database_url, "broker_url": f"redis://127.0.0.1:{broker.port}/0"} | settings
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WALKAROUND_")}
    environment |= {f"WALKAROUND_{name.upper()}": str(value) for name, value in values.items()}
    system = Deployment(environment, folder)
    try:
        yield system
    finally:
        system.stop()
        broker.stop()


def s3_settings(server: S3Server, bucket: str) -> dict[str, object]:
    """Settings that make a bucket of the S3-protocol server the photo store."""
    return {
        "store": f"s3://{bucket}",
        "s3_endpoint_url": server.endpoint_url,
        "s3_region": REGION,
        "s3_path_style": True,
        "s3_access_key_id": ACCESS_KEY_ID,
        "s3_secret_access_key": SECRET_ACCESS_KEY,
    }


def queue_of(server: S3Server, bucket: str) -> str:
    """Make an SQS queue and have the bucket's events sent to it; the queue's URL."""
    sqs = server.sqs()
    url = sqs.create_queue(QueueName=f"{bucket}-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    server.s3().put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}]
        },
    )
    return url


def wait_until(true: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    """Poll until `true`; on time-out fail with what there is to say."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"still not so after {seconds:.0f} s: {what()}"
        time.sleep(0.2)


def verdict_rows(sessions: Sessions) -> dict[str, tuple[Any, ...]]:
    """Every set's current verdict with all that went into it, by set key."""
    query = text("SELECT set_key, label, score, reasons FROM current_verdict ORDER BY set_key")
    with sessions() as session:
        return {key: (label, score, _canonical(reasons)) for key, label, score, reasons in session.execute(query)}


def all_rows(sessions: Sessions) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tables that a repeated run may not change."""
    with sessions() as session:
        return {
            table: [tuple(row) for row in session.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))]
            for table in ("vehicle", "photo_set", "photo", "work", "prediction", "verdict", "review", "model_version")
        }


def _canonical(reasons: object) -> str:
    document = json.loads(reasons) if isinstance(reasons, str) else reasons
    return json.dumps(document, sort_keys=True)
