"""Which store an address names."""

from pathlib import Path

import pytest

from core.errors import SettingsInvalid, StoreRefused
from core.storage.address import open_own_place, open_store
from core.storage.options import S3Options

OPTIONS = S3Options(endpoint_url="http://127.0.0.1:9", region="us-east-1", access_key_id="a", secret_access_key="b")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://returns", "returns"),
        ("s3://returns/", "returns"),
        ("s3://returns/a/b/", "returns/a/b"),
        ("s3://returns/a#b", "returns/a#b"),
        ("s3://returns/a?b=1", "returns/a?b=1"),
        ("s3://returns/a%20b", "returns/a%20b"),
        ("s3://returns/a@b", "returns/a@b"),
    ],
)
def test_a_prefix_is_taken_as_it_is_written(url: str, name: str) -> None:
    assert open_store(url, OPTIONS).name == name


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        open_store("s3://user:hunter2@returns", OPTIONS)
    assert "hunter2" not in str(caught.value)


def test_addresses_that_are_no_store(tmp_path: Path) -> None:
    for url in ("", "s3://", "ftp://host/x", "https://bucket.example"):
        with pytest.raises(SettingsInvalid):
            open_store(url, S3Options())
    with pytest.raises(StoreRefused, match="does not exist; check the path"):
        open_store(str(tmp_path / "none"), S3Options())


def test_a_folder_for_what_is_written_is_made(tmp_path: Path) -> None:
    assert open_own_place(str(tmp_path / "new" / "er"), S3Options()).create("a", b"x")
    with pytest.raises(StoreRefused, match="a cannot be made: (Not a directory|File exists); choose another"):
        open_own_place(str(tmp_path / "new" / "er" / "a"), S3Options())
