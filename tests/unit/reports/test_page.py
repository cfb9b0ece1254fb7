"""What all pages share: a file that is whole or not there, nothing loaded from elsewhere, names that are only text."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from reports.page import data_uri, environment, page_parts, script_parts, short_store, write_page, write_text


def test_a_page_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def pieces() -> Iterator[str]:
        yield "new"
        raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        write_text(path, pieces())

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_page_replaces_the_old_one_and_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.html"

    write_text(path, ["old"])
    write_text(path, ["a ", "né", "w one"])

    assert path.read_text("utf-8") == "a néw one"
    assert path.stat().st_mode & 0o044 == 0o044


def test_values_are_escaped_and_none_may_be_missing(tmp_path: Path) -> None:
    path, template = tmp_path / "page.html", environment().from_string("<p>{{ name }}: {{ count | thousands }}</p>")

    write_page(path, template, name="<script>", count=12_345)
    assert path.read_text() == "<p>&lt;script&gt;: 12,345</p>"

    with pytest.raises(UndefinedError, match="'name' is undefined"):
        write_page(path, template, count=1)


def test_styles_and_scripts_stand_in_the_page_and_the_script_is_the_one_that_is_allowed() -> None:
    style, script = page_parts("panels.css")["style"], script_parts("report.js")
    assert len(style) > len(page_parts()["style"]) > 0
    assert "@import" not in style
    digest = base64.b64decode(script["script_sha256"])
    assert digest == hashlib.sha256(script["script"].encode()).digest()
    assert base64.b64decode(data_uri(b"jpeg").removeprefix("data:image/jpeg;base64,")) == b"jpeg"


@pytest.mark.parametrize(
    ("store", "shown"),
    [("s3://bucket/prefix", "s3://bucket/prefix"), ("/home/kim/cars/returns", "cars/returns"), ("/", "")],
)
def test_a_folder_is_named_by_its_end_so_that_a_page_can_be_passed_on(store: str, shown: str) -> None:
    assert short_store(store) == shown
