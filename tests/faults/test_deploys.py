"""Scenario 4: new versions take over under load, a migration among them; and a migration that meets a lock."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.faults.fleet import make_returns
from tests.faults.nursery import ROOT
from tests.faults.seeds import seeds
from tests.faults.system import System

SETS = 15
_MIGRATION = '''"""A column that the next version adds; the running one does not know it."""

import sqlalchemy as sa
from alembic import op

revision = "0999"
down_revision = "{previous}"


def upgrade() -> None:
    op.add_column("photo_set", sa.Column("remark", sa.Text(), nullable=True))
'''


@pytest.fixture(scope="module")
def next_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree as its next version might be: one column and one migration more."""
    folder = tmp_path_factory.mktemp("next")
    for package in ("core", "db", "workers", "web", "tests"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    versions = folder / "db" / "migrations" / "versions"
    previous = max(file.name.partition("_")[0] for file in versions.glob("[0-9]*_*.py"))
    (versions / "0999_remark.py").write_text(_MIGRATION.format(previous=previous))
    models = folder / "db" / "models.py"
    known = "    check_at: Mapped[datetime | None]\n"
    assert models.read_text().count(known) == 1
    models.write_text(models.read_text().replace(known, f"{known}    remark: Mapped[str | None]\n"))
    return folder


@pytest.mark.scenario("4 SIGTERM deploys in a row, two code versions, a migration under load")
@seeds()
def test_deploys_in_a_row(run: System, seed: int, next_version: Path) -> None:
    run.behave(pace=0.3)
    run.start_all(("worker-0",))
    returns = make_returns(run.rng, SETS)
    run.upload(returns[:5])
    assert migrate(run, next_version).returncode == 0
    run.fault("migration under load")
    for number in range(1, 4):
        run.start_fresh(f"worker-{number}", "worker", folder=next_version)
        run.wait_until(lambda: "ready." in run.log_of(f"worker-{number}"))  # noqa: B023  (waited for at once)
        run.upload(returns[5 * number : 5 * number + 5])
        assert run.stop(f"worker-{number - 1}") < 90
        run.figures.faults["deploy"] += 1
    run.code = next_version
    run.finish_well()


def migrate(run: System, folder: Path) -> subprocess.CompletedProcess[str]:
    """`walkaround db upgrade` with another version of the code."""
    command = [sys.executable, "-m", "tests.faults.process", "db", "upgrade"]
    return subprocess.run(
        command, cwd=folder, env=run.environment, check=False, timeout=200, capture_output=True, text=True
    )


@pytest.mark.scenario("4b a migration that meets a lock")
@seeds()
def test_a_migration_gives_way(run: System, seed: int, next_version: Path) -> None:
    """It gives up after its time limit, says so, leaves nothing half-done, and can be run again."""
    run.start_all()
    run.upload(make_returns(run.rng, 3))
    engine = create_engine(run.database_url)
    with engine.connect() as somebody:
        somebody.execute(text("LOCK TABLE photo_set IN ACCESS SHARE MODE"))
        done = migrate(run, next_version)
        run.fault("migration blocked by a lock")
    engine.dispose()
    assert done.returncode == 1
    assert "another transaction kept a lock for too long; try again" in done.stderr
    assert "Traceback" not in done.stderr
    run.finish_well()  # with the old version: nothing was half-done
    assert migrate(run, next_version).returncode == 0


@pytest.mark.scenario("4c SIGTERM under load")
@seeds()
def test_every_process_ends_in_good_order(run: System, seed: int) -> None:
    run.behave(pace=1.0)
    run.start_all()
    uploads = threading.Thread(target=run.upload, args=[make_returns(run.rng, SETS)])
    uploads.start()
    run.wait_until(lambda: run.leased() > 0)
    for name in ("worker", "beat", "consume"):
        assert run.stop(name) < 90
    uploads.join()
    assert run.leased() == 0, "what was in hand was finished or given back"
    run.behave(pace=0.05)
    for name in ("worker", "beat", "consume"):
        run.start(name)
    run.finish_well()
