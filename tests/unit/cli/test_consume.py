"""`walkaround consume`: without a queue it does not begin. A whole run is in tests/integration/test_main_job."""

from pathlib import Path

from tests.unit.cli.conftest import CommandLine


def test_without_a_queue_it_names_the_setting(walkaround: CommandLine, photos: Path, sqlite_url: str) -> None:
    walkaround.set(store=photos, database_url=sqlite_url)
    assert "WALKAROUND_SQS_QUEUE_URL is missing" in walkaround.fails(2, "consume")
