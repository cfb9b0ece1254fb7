"""`walkaround report` and `walkaround audit`."""

from pathlib import Path

from tests.unit.cli.conftest import CommandLine


def test_audit_names_what_lies_in_no_set_and_fails(walkaround: CommandLine, photos: Path, sqlite_url: str) -> None:
    (photos / "[stray].jpg").touch()
    walkaround.set(store=photos, database_url=sqlite_url, key_template="{vehicle}/")
    code, output, _ = walkaround.run("audit")
    assert code == 1
    assert "[stray].jpg: lies in no return" in output
    assert "car/01.jpg: not in the database; run a scan" in output
    assert "Audit failed: 2 objects" in output
