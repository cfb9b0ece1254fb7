"""`walkaround scan`: what is wrong with the folder, the options or the model is said before anything starts."""

import shutil
from pathlib import Path

import pytest

from cli.scan import embedded_settings
from core.settings import SHIPPED_MODEL
from tests.servers import S3Server
from tests.unit.cli.conftest import NOBODY, CommandLine, make_newer


def test_a_folder_that_is_not_there(walkaround: CommandLine, tmp_path: Path) -> None:
    assert f"the folder {tmp_path / 'none'} does not exist; check the path" in walkaround.fails(1, "scan", "none")
    assert not (tmp_path / "walkaround-out").exists()


def test_a_file_for_a_folder(walkaround: CommandLine, photos: Path) -> None:
    assert "is not a folder; name the folder" in walkaround.fails(1, "scan", photos / "car" / "01.jpg")


def test_an_empty_folder(walkaround: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there are no photos under empty: a return is a folder of them" in walkaround.fails(1, "scan", "empty")


def test_nothing_is_written_beside_the_photos(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = embedded_settings(str(photos), tmp_path / "out", None, None)
    assert settings.reviews == str(tmp_path / "out")
    monkeypatch.setenv("WALKAROUND_REVIEWS", "s3://decisions")
    assert embedded_settings(str(photos), tmp_path / "out", None, None).reviews == "s3://decisions"


def test_results_inside_the_photos(walkaround: CommandLine, photos: Path) -> None:
    sentence = walkaround.fails(2, "scan", photos, "--out", photos / "out")
    assert f"--out {photos / 'out'} lies inside {photos}" in sentence
    assert "choose another folder" in sentence


def test_results_where_a_file_is(walkaround: CommandLine, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    assert "--out taken cannot be made" in walkaround.fails(2, "scan", photos, "--out", "taken")


@pytest.mark.parametrize("template", ["{fleet", "{fleet}/", "{vehicle}", "{car}/{vehicle}/"])
def test_a_template_that_cannot_work(walkaround: CommandLine, photos: Path, template: str) -> None:
    assert f"key template '{template}'" in walkaround.fails(2, "scan", photos, "--key-template", template)


def test_a_model_that_is_not_there(walkaround: CommandLine, photos: Path, tmp_path: Path) -> None:
    sentence = walkaround.fails(1, "scan", photos, "--model", tmp_path / "none")
    assert f"{tmp_path / 'none'} is not a whole model artefact; give a folder" in sentence


@pytest.mark.skipif(not SHIPPED_MODEL.exists(), reason=f"no trained model in {SHIPPED_MODEL}")
def test_weights_that_do_not_match_their_card(walkaround: CommandLine, photos: Path, tmp_path: Path) -> None:
    weights = Path(shutil.copytree(SHIPPED_MODEL, tmp_path / "model")) / "model.keras"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    sentence = walkaround.fails(1, "scan", photos, "--model", tmp_path / "model")
    assert str(weights) in sentence
    assert "card" in sentence


def test_a_database_of_a_newer_version(walkaround: CommandLine, photos: Path, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make_newer(Path(shutil.copy(sqlite_url.removeprefix("sqlite:///"), tmp_path / "out" / "walkaround.sqlite")))
    sentence = walkaround.fails(1, "scan", photos, "--out", "out")
    assert "has version 9999" in sentence
    assert "update Walkaround" in sentence


def test_no_such_bucket(walkaround: CommandLine, s3_server: S3Server) -> None:
    _use(walkaround, s3_server.endpoint_url)
    assert "s3://nobodys: there is no such bucket; check its name" in walkaround.fails(1, "scan", "s3://nobodys")


def test_nothing_listens_at_the_endpoint(walkaround: CommandLine) -> None:
    _use(walkaround, f"http://{NOBODY}")
    sentence = walkaround.fails(1, "scan", "s3://bucket")
    assert "s3://bucket: no whole answer" in sentence
    assert "check WALKAROUND_S3_ENDPOINT_URL" in sentence


def test_no_credentials(walkaround: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    walkaround.set(s3_endpoint_url=f"http://{NOBODY}", s3_region="us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    sentence = walkaround.fails(1, "scan", "s3://bucket")
    assert "s3://bucket: no credentials" in sentence
    assert "set WALKAROUND_S3_ACCESS_KEY_ID" in sentence


def _use(walkaround: CommandLine, endpoint: str) -> None:
    walkaround.set(
        s3_endpoint_url=endpoint,
        s3_region="us-east-1",
        s3_path_style=True,
        s3_access_key_id="testing",
        s3_secret_access_key="testing",
    )
