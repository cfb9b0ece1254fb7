"""`walkaround replay`: what was given up is due again, and nothing else."""

from datetime import timedelta
from pathlib import Path

from core.domain import SetRef
from db import transactions
from db.session import make_engine, make_sessions
from tests.photo_sets import MARKED, NOW, all_due, must_claim, register, stored
from tests.unit.cli.conftest import NOBODY, CommandLine


def test_replay_makes_due_again_what_was_given_up(walkaround: CommandLine, photos: Path, sqlite_url: str) -> None:
    walkaround.set(store=photos, database_url=sqlite_url, key_template="{vehicle}/", broker_url=f"redis://{NOBODY}/0")
    sessions = make_sessions(make_engine(sqlite_url))
    register(sessions)
    car = SetRef("default", "car", "1", "car/")
    (work,) = transactions.ingest(
        sessions, str(photos.resolve()), car, stored(car, "01"), MARKED, None, None, NOW, []
    ).opened
    transactions.bury(sessions, must_claim(sessions, work), "a reason")
    assert walkaround.run("replay")[:2] == (0, "car/: due again\n")
    assert all_due(sessions, timedelta(0)) == [(work, "classify")]
    assert walkaround.run("replay")[:2] == (0, "there is nothing to score again\n")
