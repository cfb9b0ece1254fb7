"""`walkaround webhook`: without a token it does not begin. What it answers is in tests/integration/web/test_webhook."""

from pathlib import Path

from tests.unit.cli.conftest import CommandLine


def test_without_a_token_it_names_the_setting(walkaround: CommandLine, photos: Path, sqlite_url: str) -> None:
    walkaround.set(store=photos, database_url=sqlite_url)
    assert "WALKAROUND_WEBHOOK_TOKEN is missing" in walkaround.fails(2, "webhook")
