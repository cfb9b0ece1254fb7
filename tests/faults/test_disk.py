"""Scenario 20: an SQLite database whose disk is full.

One that may only be read is in tests/integration/db/test_session.py: a disk in use cannot be made so under it.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.session import make_engine, upgrade
from tests.faults import figures
from tests.faults.conftest import MakeSystem
from tests.faults.fleet import make_returns
from tests.faults.seeds import seeds

SETS = 15


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with a megabyte or two of room."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small file system that is to be full")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", disk], check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@seeds()
def test_the_disk_is_full(make_system: MakeSystem, seed: int, small_disk: Path) -> None:
    url = f"sqlite:///{small_disk / 'walkaround.sqlite'}"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    run = make_system("20 disk full (SQLite)", seed, database_url=url)
    run.start_all()
    returns = make_returns(run.rng, SETS)
    run.upload(returns[:5])
    run.finish_well()
    filler = small_disk / "filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(small_disk).free - 4096)))
    run.fault("disk full")
    run.upload(returns[5:])
    run.wait_until(lambda: "the disk is full" in run.log_of("consume"))
    with sqlite3.connect(f"file:{small_disk / 'walkaround.sqlite'}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    filler.unlink()
    run.forget_scans()
    run.send("walkaround.nightly_scan", "intake")
    run.finish_well()
    figures.write(run.figures)
