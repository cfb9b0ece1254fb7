"""docs/runbook.md, tried: the database is lost, and restored from a dump taken in mid-run."""

import json
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import make_url

from core.domain import Label
from tests.faults.conftest import MakeSystem
from tests.faults.fleet import make_returns
from tests.faults.seeds import seeds
from tests.faults.system import System

SETS = 15


@pytest.mark.scenario("23 the database lost and restored from a dump")
@seeds()
def test_restoring_the_database(run: System, seed: int, make_system: MakeSystem, tmp_path: Path) -> None:
    run.start_all()
    returns = make_returns(run.rng, SETS)
    run.upload(returns[:8])
    run.wait_until(lambda: run.verdicts() >= 4)
    dump = tmp_path / "walkaround.dump"
    _postgresql(run, "pg_dump", "--format=custom", f"--file={dump}", database=run.database_url)
    run.upload(returns[8:])
    run.finish_well()
    _review_everything(run)
    assert run.unstored_reviews() == []
    for name in list(run.processes):
        run.kill(name)
    run.fault("database lost")

    again = make_system("23 restored", seed)
    _postgresql(run, "pg_restore", "--clean", "--if-exists", str(dump), database=again.database_url)
    again.takes_over(run)
    again.forget_scans()
    again.start_all()
    again.finish_well()
    assert _decisions(again) == _decisions(run), "what was decided after the dump is decided again, and the same"
    assert again.reviews() == {}, "they were made after the dump"
    # Sets that the dump did not know count their generations from 1 again; the photos tell which was reviewed.
    assert again.restore_reviews() == {"added": SETS, "known": 0, "refused": []}
    assert again.reviews() == run.reviews()
    run.figures.counts.update({"reviews submitted": SETS, "reviews stored": len(again.reviews())})


def _postgresql(run: System, program: str, *arguments: str, database: str) -> None:
    server = run.servers.postgresql
    where = [f"--host={server.socket_folder}", "--username=postgres", f"--dbname={make_url(database).database}"]
    subprocess.run([server.programs / program, *where, *arguments], check=True, timeout=120)


def _review_everything(run: System) -> None:
    """As a person does it, with the rights of a reviewer."""
    lines = [
        {"set_key": row["set_key"], "label": run.rng.choice(list(Label)), "reason_code": "looked", "reviewer": "ana"}
        for row in run.tables()["photo_set"]
    ]
    file = run.folder / "reviews.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    output = run.command("review", "import", str(file), "--json")
    assert json.loads(output[output.index("{") :]) == {"added": SETS, "known": 0, "unwritten": 0, "refused": []}


def _decisions(run: System) -> dict[str, tuple[str, float, str]]:
    names = {row["id"]: row["set_key"] for row in run.tables()["photo_set"]}
    return {names[row["set_id"]]: (row["label"], row["score"], row["input_sha256"]) for row in run.tables()["verdict"]}
