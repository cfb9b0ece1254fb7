"""What the scenarios share: servers, one system a run, and which seeds are run when."""

from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path

import pytest

from db.roles import ROLES
from tests.databases import new_database, running_postgresql
from tests.faults import figures
from tests.faults.nursery import Nursery
from tests.faults.system import Figures, Servers, System, system
from tests.servers import S3Server

# A commit that was acknowledged must outlive an immediate stop; no test here cuts the machine's power.
_OPTIONS = "-h '' -c fsync=off -c max_connections=150"
_numbers = count(1)


@pytest.fixture(scope="session")
def servers(s3_server: S3Server) -> Iterator[Servers]:
    """A PostgreSQL server that may be stopped, an S3 server, and a nursery of processes."""
    nursery = Nursery()
    with running_postgresql(_OPTIONS) as server:
        for role in ROLES:
            server.login(server.url("postgres"), role)
        yield Servers(server, s3_server, nursery)
    nursery.close()


def _new_database(servers: Servers) -> Iterator[str]:
    return new_database(servers.postgresql, f"faults_{next(_numbers)}")


MakeSystem = Callable[..., System]


@pytest.fixture
def make_system(servers: Servers, s3_bucket: str, tmp_path: Path) -> Iterator[MakeSystem]:
    """Make a system on a database and bucket of its own, in the given nursery or the common one."""
    ending = []

    def make(scenario: str, seed: int, nursery: Nursery | None = None, database_url: str | None = None) -> System:
        databases = iter([database_url]) if database_url else _new_database(servers)
        ours = Servers(servers.postgresql, servers.s3, nursery) if nursery else servers
        running = system(ours, tmp_path, Figures(scenario, seed), next(databases), s3_bucket)
        ending.append((running, databases))
        return running.__enter__()

    yield make
    for running, databases in ending:
        running.__exit__(None, None, None)
        next(databases, None)


@pytest.fixture
def run(make_system: MakeSystem, request: pytest.FixtureRequest) -> Iterator[System]:
    """The system of a scenario, which the test's mark names and `seed` seeds. The figures of a pass are kept."""
    mark = request.node.get_closest_marker("scenario")
    made = make_system(mark.args[0], request.getfixturevalue("seed"))
    yield made
    if not getattr(request.node, "failed", False):
        figures.write(made.figures)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let `run` know that its test failed."""
    report = yield
    if report.failed:
        item.failed = True  # type: ignore[attr-defined]
    return report
