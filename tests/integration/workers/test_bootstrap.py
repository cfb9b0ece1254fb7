"""A process is put together on both databases, and refuses to start on the database of another store."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import SettingsInvalid
from core.settings import load_settings
from tests.house import GREEN
from workers import pipeline
from workers.bootstrap import make_context
from workers.context import Context, NoPublisher


def context_of(folder: Path, database_url: str) -> Context:
    folder.mkdir(exist_ok=True)
    settings = load_settings(store=str(folder)).model_copy(update={"database_url": SecretStr(database_url)})
    return make_context(settings, NoPublisher())


def test_a_process_of_another_store_does_not_start(database_url: str, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    context = context_of(ours, database_url)
    photo = ours / "returns" / "harbour" / "HB-204" / "r1" / "1.png"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(GREEN)
    assert pipeline.scan(context).repaired == 1
    with pytest.raises(SettingsInvalid) as refused:
        context_of(theirs, database_url)
    assert str(ours) in str(refused.value)
    assert str(theirs) in str(refused.value)
    assert pipeline.reconcile(context_of(ours, database_url)).looked == 0
