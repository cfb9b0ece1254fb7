"""docs/runbook.md, tried: the database is lost, and restored from a dump taken in mid-run."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from core.domain import Label
from db import repositories
from db.session import make_engine, make_sessions
from tests.faults.conftest import MakeSystem
from tests.faults.fleet import make_returns
from tests.faults.system import System

SETS = 15
REVIEWS = "reviews/2026-11-23.jsonl"  # outside `returns/`, so no scan and no audit takes it for a photo


@pytest.mark.scenario("23 the database lost and restored from a dump")
@pytest.mark.faults
@pytest.mark.parametrize("seed", [1])
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
    _export_reviews(run, tmp_path)
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
    assert again.tables()["review"] == [], "what only the database knew is gone"
    _import_reviews(again, tmp_path)
    assert _reviews(again) == _reviews(run)
    run.figures.counts.update({"reviews submitted": len(_reviews(run)), "reviews stored": len(_reviews(again))})


def _postgresql(run: System, program: str, *arguments: str, database: str) -> None:
    server = run.servers.postgresql
    where = [f"--host={server.socket_folder}", "--username=postgres", f"--dbname={make_url(database).database}"]
    subprocess.run([server.programs / program, *where, *arguments], check=True, timeout=120)


def _review_everything(run: System) -> None:
    engine = make_engine(run.database_url)
    for verdict in run.tables()["verdict"]:
        repositories.add_review(
            make_sessions(engine),
            idempotency_key=f"review-{verdict['id']}",
            set_id=verdict["set_id"],
            seen_verdict_id=verdict["id"],
            seen_generation=verdict["generation"],
            label=run.rng.choice(list(Label)),
            reason_code="looked",
            reviewer="ana",
            now=datetime.now(UTC),
        )
    engine.dispose()


def _export_reviews(run: System, folder: Path) -> None:
    """What docs/runbook.md has done every hour: the decisions as an object beside the photos, never overwritten."""
    assert "decisions written" in run.command("review", "export", str(folder / "reviews.jsonl"))
    run.servers.s3.s3().put_object(
        Bucket=run.bucket, Key=REVIEWS, Body=(folder / "reviews.jsonl").read_bytes(), IfNoneMatch="*"
    )


def _import_reviews(run: System, folder: Path) -> None:
    stored = run.servers.s3.s3().get_object(Bucket=run.bucket, Key=REVIEWS)["Body"].read()
    (folder / "back.jsonl").write_bytes(stored)
    output = run.command("review", "import", str(folder / "back.jsonl"), "--json")
    assert json.loads(output[output.index("{") :])["refused"] == []


def _decisions(run: System) -> dict[str, tuple[str, float, str]]:
    names = {row["id"]: row["set_key"] for row in run.tables()["photo_set"]}
    return {names[row["set_id"]]: (row["label"], row["score"], row["input_sha256"]) for row in run.tables()["verdict"]}


def _reviews(run: System) -> dict[str, tuple[str, str, str]]:
    names = {row["id"]: row["set_key"] for row in run.tables()["photo_set"]}
    return {
        row["idempotency_key"]: (names[row["set_id"]], row["label"], row["reviewer"]) for row in run.tables()["review"]
    }
