"""`walkaround scan` as a person runs it: bad photos, killed workers, Ctrl-C, and what is left after each."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import OperationalError

from core.settings import SHIPPED_MODEL
from db.session import make_engine
from tests.integration.deployment import deployment, queue_of, s3_settings, wait_until
from tests.servers import S3Server

DEMO = Path(__file__).parents[3] / "demo"
SECONDS = 420  # TensorFlow takes a minute to load on a machine that does much else

pytestmark = [
    pytest.mark.skipif(not SHIPPED_MODEL.exists(), reason=f"no trained model in {SHIPPED_MODEL}"),
    pytest.mark.timeout(4 * SECONDS),
    pytest.mark.xdist_group("main_job"),
]


@dataclass
class House:
    """A folder of returns, where results go, and a folder for temporary files of its own."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def put(self, key: str, data: bytes) -> None:
        path = self.photos / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "cli.main", "scan", str(self.photos), "--out", str(self.folder / "out")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WALKAROUND_")}
        self.started.append(
            subprocess.Popen(
                [*command, "--json"],
                env=environment | {"TMPDIR": str(self.temporary)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return self.started[-1]

    def is_scoring(self) -> bool:
        """Whether a worker holds a set: its model is loaded, and photos are on their way."""
        try:
            held = text("SELECT count(*) FROM work WHERE state = 'leased'")
            return bool(_rows(f"sqlite:///{self.folder / 'out' / 'walkaround.sqlite'}", held)[0][0])
        except OperationalError:  # not migrated yet
            return False

    def log(self) -> str:
        log = self.folder / "out" / "worker.log"
        return log.read_text()[-3000:] if log.exists() else "no log"


@pytest.fixture
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="wes-") as folder:  # short: a socket's path has a hundred characters
        house = House(Path(folder))
        house.temporary.mkdir()
        yield house
        for process in house.started:
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture
def photo() -> bytes:
    """A photo that can be scored."""
    return next(iter(sorted(DEMO.rglob("*.jpg")))).read_bytes()


def test_bad_photos_and_a_killed_worker_cost_no_return_its_verdict(house: House, photo: bytes) -> None:
    video = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(64)
    bad = {"nothing": (b"", "empty"), "letter": (b"about a photo", "not_a_photo"), "video": (video, "not_a_photo")}
    for name, (data, _) in bad.items():
        house.put(f"{name}/01.jpg", photo)
        house.put(f"{name}/02.jpg", data)
    house.put("[red]/01.jpg", photo)
    house.put("manifest/01.jpg", photo)
    house.put("manifest/_manifest.json", b"{photos: none}")
    house.put("absent/01.jpg", photo)
    entry = {"key": "09.jpg", "size": 1, "sha256": "0" * 64}
    house.put("absent/_manifest.json", json.dumps({"photos": [entry]}).encode())
    scan = house.start()
    wait_until(lambda: house.is_scoring() or scan.poll() is not None, SECONDS, house.log)
    os.kill(_only(_descendants(scan.pid), "cli.main worker"), signal.SIGKILL)
    output, errors = scan.communicate(timeout=SECONDS)
    assert scan.returncode == 0, errors + house.log()
    assert "worker_restarted" in errors
    assert "Audit passed" in errors
    found = {item["vehicle"]: item for item in json.loads(output)["returns"]}
    assert found.keys() == {*bad, "[red]", "manifest", "absent"}
    assert all(item["label"] in ("damaged", "clear", "undecided") for item in found.values())
    for name, (_, reason) in bad.items():
        assert found[name]["label"] != "clear"
        assert _reasons(found[name]) == {f"{name}/01.jpg": None, f"{name}/02.jpg": reason}
    assert found["absent"]["label"] != "clear"


def test_ended_in_any_way_it_leaves_nothing_behind_and_the_next_run_goes_on(house: House, photo: bytes) -> None:
    for vehicle in range(6):
        house.put(f"V{vehicle}/01.jpg", photo)
    endings: list[tuple[int, int, Callable[[int], bool]]] = [
        (signal.SIGTERM, 130, partial(_has, "cli.main worker")),
        (signal.SIGKILL, -signal.SIGKILL, partial(_has, "sandbox.child")),  # while TensorFlow is being loaded
        (signal.SIGINT, 130, lambda _: house.is_scoring()),
    ]
    for number, code, moment in endings:
        scan = house.start()
        wait_until(lambda: moment(scan.pid) or scan.poll() is not None, SECONDS, house.log)  # noqa: B023
        started = _descendants(scan.pid)
        assert _only(started, "valkey-server")
        scan.send_signal(number)
        _, errors = scan.communicate(timeout=30)
        assert scan.returncode == code, errors
        assert ("walkaround: stopped;" in errors) == (code == 130)
        assert "Traceback" not in errors
        wait_until(lambda: not _alive(started), 30, lambda: str(_alive(started)))  # noqa: B023
        wait_until(lambda: not list(house.temporary.iterdir()), 10, lambda: str(list(house.temporary.iterdir())))
    scan = house.start()
    output, errors = scan.communicate(timeout=SECONDS)
    assert scan.returncode == 0, errors + house.log()
    assert "Audit passed" in errors
    assert len(json.loads(output)["returns"]) == 6
    assert not list(house.temporary.iterdir())


def test_up_reads_the_event_queue_and_replaces_a_dead_worker_between_two_looks(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    settings = s3_settings(s3_server, s3_bucket)
    settings |= {"sqs_queue_url": queue_of(s3_server, s3_bucket), "sqs_endpoint_url": s3_server.endpoint_url}
    database = f"sqlite:///{tmp_path / 'out' / 'walkaround.sqlite'}"
    with deployment(tmp_path, database, **settings) as system:
        template = ("--key-template", "returns/{fleet}/{vehicle}/{return}/")
        command = ("up", f"s3://{s3_bucket}", "--out", str(tmp_path / "out"), *template, "--every", "3600")
        system.start("up", *command)
        wait_until(lambda: "0 of 0 returns" in system.log("up"), SECONDS, lambda: system.log("up"))
        s3_server.s3().put_object(Bucket=s3_bucket, Key="returns/harbour/HB-1/1/01.jpg", Body=b"never read here")
        sets = text("SELECT set_key FROM photo_set")
        wait_until(lambda: len(_rows(database, sets)) == 1, SECONDS, lambda: system.log("up"))
        os.kill(_only(_descendants(system.processes["up"].pid), "cli.main worker"), signal.SIGKILL)
        wait_until(lambda: "worker_restarted" in system.log("up"), 60, lambda: system.log("up"))
        system.processes["up"].terminate()
        assert system.processes["up"].wait(60) == 130, system.log("up")
    assert "stopped; nothing is left running" in system.log("up")


def _rows(database: str, query: TextClause) -> list[Any]:
    engine = make_engine(database)
    try:
        with engine.connect() as connection:
            return list(connection.execute(query))
    finally:
        engine.dispose()


def _reasons(item: dict[str, Any]) -> dict[str, str | None]:
    return {photo["key"]: photo["reason"] for photo in item["photos"]}


def _descendants(pid: int) -> dict[int, str]:
    """All processes below `pid`, with their command lines."""
    found: dict[int, str] = {}
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
            found |= _descendants(child)
    return found


def _has(name: str, pid: int) -> bool:
    try:
        return any(name in command for command in _descendants(pid).values())
    except OSError:  # one ended while we looked
        return False


def _only(processes: dict[int, str], name: str) -> int:
    found = [pid for pid, command in processes.items() if name in command]
    assert len(found) == 1, processes
    return found[0]


def _alive(processes: dict[int, str]) -> dict[int, str]:
    """Those that still run the same command: a number may be another process's by now."""
    alive = {}
    for pid, command in processes.items():
        try:
            now = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if now and now == command:
            alive[pid] = command
    return alive
