"""The main job with real processes: the same photos give the same verdicts, whatever is lost on the way."""

import json
import os
import random
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from core.settings import SHIPPED_MODEL
from db.session import make_engine, make_sessions
from tests.databases import PostgreSQLServer
from tests.integration.deployment import (
    Deployment,
    all_rows,
    deployment,
    queue_of,
    s3_settings,
    verdict_rows,
    wait_until,
)
from tests.servers import S3Server

DEMO = Path(__file__).parents[2] / "demo"
DATA = Path(os.environ.get("WALKAROUND_DATA", Path(__file__).parents[3] / "shared" / "data"))
MODEL = Path(os.environ.get("WALKAROUND_TEST_MODEL", SHIPPED_MODEL)).resolve()
RETURNS = DATA / "returns" / "photos"
# A sixth of the real returns in every test run; `make main-job` takes them all.
SELECTED = os.environ.get("WALKAROUND_TEST_RETURNS", "R00*")

pytestmark = [
    pytest.mark.skipif(not MODEL.exists(), reason=f"no trained model in {MODEL}"),
    pytest.mark.timeout(3600),
    pytest.mark.xdist_group("main_job"),
]


@pytest.fixture(scope="module")
def returns() -> dict[str, bytes]:
    """Photo sets by key: the selected real returns where the data is at hand, else the rendered ones."""
    if RETURNS.is_dir():
        return {
            f"returns/fleet/{photo.parent.name}/1/{photo.name}": photo.read_bytes()
            for photo in sorted(RETURNS.glob(f"{SELECTED}/*.jpg"))
        }
    return {photo.relative_to(DEMO).as_posix(): photo.read_bytes() for photo in sorted(DEMO.rglob("*.jpg"))}


@pytest.fixture(scope="module")
def expected(returns: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[object, ...]]:
    """What `walkaround scan` of the same photos in a folder says, on SQLite."""
    folder = tmp_path_factory.mktemp("expected")
    for key, data in returns.items():
        (folder / "photos" / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / key).write_bytes(data)
    with deployment(folder, "sqlite://", model=MODEL) as system:
        done = system.run("scan", str(folder / "photos"), "--out", str(folder / "out"), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert sum(len(item["photos"]) for item in document["returns"]) == len(returns)
    return verdict_rows(make_sessions(make_engine(f"sqlite:///{folder / 'out' / 'walkaround.sqlite'}")))


def test_a_second_scan_changes_no_row(returns: dict[str, bytes], tmp_path: Path) -> None:
    one_set = next(iter(returns)).rpartition("/")[0]
    for key, data in returns.items():
        if key.startswith(one_set):
            (tmp_path / "photos" / key).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "photos" / key).write_bytes(data)
    out = tmp_path / "out"
    with deployment(tmp_path / "system", "sqlite://", model=MODEL) as system:
        command = ("scan", str(tmp_path / "photos"), "--out", str(out), "--no-html")
        assert system.run(*command).returncode == 0
        sessions = make_sessions(make_engine(f"sqlite:///{out / 'walkaround.sqlite'}"))
        before = all_rows(sessions)
        assert before["verdict"]
        assert system.run(*command).returncode == 0
        assert all_rows(sessions) == before


@pytest.fixture
def upload(s3_server: S3Server, s3_bucket: str) -> Callable[[dict[str, bytes]], None]:
    """Put objects into the bucket, in any order."""

    def put(objects: dict[str, bytes]) -> None:
        client = s3_server.s3()
        for key in random.Random(1).sample(sorted(objects), len(objects)):
            client.put_object(Bucket=s3_bucket, Key=key, Body=objects[key])

    return put


class TestS3AndPostgreSQL:
    """moto (S3 and SQS events), Valkey, PostgreSQL; `consume`, `worker` and `beat` as real processes.

    Each logs into PostgreSQL with the least that it needs, beat not at all.
    """

    @pytest.fixture
    def system(
        self,
        s3_server: S3Server,
        s3_bucket: str,
        postgresql_server: PostgreSQLServer,
        postgresql_url: str,
        tmp_path: Path,
    ) -> Iterable[Deployment]:
        settings = s3_settings(s3_server, s3_bucket)
        settings |= {"sqs_queue_url": queue_of(s3_server, s3_bucket), "sqs_endpoint_url": s3_server.endpoint_url}
        settings |= {"model": MODEL, "quiet_period": 2, "lease": 8, "republish_after": 3, "reconcile_every": 2}
        with deployment(tmp_path, postgresql_url, **settings) as system:
            system.logins = {
                "worker": postgresql_server.login(postgresql_url, "walkaround_worker"),
                "consume": postgresql_server.login(postgresql_url, "walkaround_ingest"),
                "beat": "sqlite://",
            }
            yield system

    def test_events_bring_every_verdict(
        self,
        system: Deployment,
        upload: Callable[[dict[str, bytes]], None],
        returns: dict[str, bytes],
        expected: dict[str, tuple[object, ...]],
    ) -> None:
        _start_all(system)
        upload(returns)
        _finish_as_expected(system, expected)

    def test_killed_workers_lose_nothing(
        self,
        system: Deployment,
        upload: Callable[[dict[str, bytes]], None],
        returns: dict[str, bytes],
        expected: dict[str, tuple[object, ...]],
    ) -> None:
        _start_all(system)
        upload(returns)
        for kill in range(3):
            enough = (kill + 1) * len(expected) // 5
            wait_until(partial(_has_verdicts, system, enough), _patience(enough), partial(_story, system))
            system.kill("worker")
            system.start("worker", "worker")
        _finish_as_expected(system, expected)

    def test_lost_and_doubled_events_are_mended_by_one_scan(
        self,
        system: Deployment,
        s3_server: S3Server,
        upload: Callable[[dict[str, bytes]], None],
        returns: dict[str, bytes],
        expected: dict[str, tuple[object, ...]],
    ) -> None:
        upload(returns)
        _shuffle_events(s3_server, system.environment["WALKAROUND_SQS_QUEUE_URL"], random.Random(20261123))
        _start_all(system)  # a deployment that starts makes its nightly scan at once
        _finish_as_expected(system, expected)


def _start_all(system: Deployment) -> None:
    assert system.run("db", "upgrade").returncode == 0
    for name in ("worker", "beat", "consume"):
        system.start(name, name)


def _has_verdicts(system: Deployment, enough: int) -> bool:
    return len(verdict_rows(system.sessions)) >= enough


def _patience(sets: int) -> float:
    """Seconds: a start and what a busy machine may take for so many sets."""
    return 240.0 + 10.0 * sets


def _finish_as_expected(system: Deployment, expected: dict[str, tuple[object, ...]]) -> None:
    sessions = system.sessions
    wait_until(lambda: verdict_rows(sessions) == expected, _patience(len(expected)), lambda: _story(system))
    audit = system.run("audit", "--json")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert json.loads(audit.stdout)["recomputed"] == len(expected)


def _shuffle_events(server: S3Server, queue: str, rng: random.Random) -> None:
    """Drop a fifth of the queue's events, double a fifth, and send what is left in another order."""
    sqs, bodies = server.sqs(), []
    while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in batch:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    kept = [body for body in bodies if rng.random() >= 0.2]
    kept += [body for body in kept if rng.random() < 0.2]
    rng.shuffle(kept)
    assert len(set(kept)) < len(bodies)
    for body in kept:
        sqs.send_message(QueueUrl=queue, MessageBody=body)


def _story(system: Deployment) -> str:
    return "\n".join(f"--- {name}\n{system.log(name)[-3000:]}" for name in ("worker", "consume", "beat"))
