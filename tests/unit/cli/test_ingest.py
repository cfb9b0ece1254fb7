"""`walkaround ingest`: looks at the named returns again, and says of each what came of it."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import NOBODY, CommandLine


@pytest.fixture
def store(walkaround: CommandLine, photos: Path, sqlite_url: str) -> Path:
    walkaround.set(store=photos, database_url=sqlite_url, key_template="{vehicle}/", broker_url=f"redis://{NOBODY}/0")
    return photos


@pytest.mark.usefixtures("store")
def test_again_it_changes_nothing(walkaround: CommandLine) -> None:
    assert walkaround.run("ingest", "car/")[:2] == (0, "car/: generation 1, still open, changed\n")
    assert walkaround.run("ingest", "car/")[:2] == (0, "car/: generation 1, still open, as it was\n")


def test_a_marker_closes_the_return_that_a_photo_is_named_of(walkaround: CommandLine, store: Path) -> None:
    (store / "car" / "_COMPLETE").touch()
    assert walkaround.run("ingest", "car/01.jpg")[1] == "car/01.jpg: generation 1, closed by marker, changed\n"


@pytest.mark.usefixtures("store")
def test_a_key_that_lies_in_no_return_is_refused(walkaround: CommandLine) -> None:
    assert "stray.jpg" in walkaround.fails(1, "ingest", "stray.jpg")
