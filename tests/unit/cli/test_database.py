"""`walkaround db upgrade`: again it changes nothing, and it shows no secret."""

from pathlib import Path

import pytest

from cli.database import upgrade
from core.errors import DatabaseUnusable
from db.session import check_version, make_engine


def test_a_new_file_is_made_and_is_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/walkaround.sqlite"
    monkeypatch.setenv("WALKAROUND_DATABASE_URL", url)
    engine = make_engine(url)
    with pytest.raises(DatabaseUnusable, match="run `walkaround db upgrade`"):
        check_version(engine)
    assert not (tmp_path / "walkaround.sqlite").exists(), "asking makes no file"
    for _ in range(2):
        upgrade()
        check_version(engine)
        assert capsys.readouterr().out == f"{tmp_path}/walkaround.sqlite is up to date\n"
    engine.dispose()


def test_a_password_is_not_shown(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WALKAROUND_DATABASE_URL", f"{postgresql_url}&password=TopSecret")
    upgrade()
    assert "TopSecret" not in "".join(capsys.readouterr())
