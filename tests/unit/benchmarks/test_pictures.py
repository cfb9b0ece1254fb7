"""Bars drawn from the tables as build/bench.json keeps them."""

from pathlib import Path
from typing import Any

from PIL import Image

from tests.benchmarks.pictures import bar_rows, draw


def entry(*, small: bool = False) -> dict[str, Any]:
    rows = [["ours", "43.8 (43.1 to 45.2)", "0.40"], ["others", "1,149 (1,147 to 1,162)", "0.00"], ["none", None, "1"]]
    return {"small": small, "tables": [{"title": "", "columns": [], "rows": rows}]}


def test_figures_are_read_as_the_tables_write_them() -> None:
    rows = entry()["tables"][0]["rows"]
    assert bar_rows(rows, (1,)) == [("ours", 43.8), ("others", 1149.0)]
    assert bar_rows(rows, (1, 2)) == [("ours", 43.8), ("others", 1149.0), ("none", 1.0)]


def test_what_was_measured_in_full_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "bars.png"
    assert draw({"decode": entry(), "engine": entry(small=True)}, path)
    with Image.open(path) as picture:
        one_panel = picture.height
    assert draw({"decode": entry(), "pipeline": entry()}, path)
    with Image.open(path) as picture:
        assert picture.height > one_panel


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    assert not draw({"decode": entry(small=True)}, tmp_path / "bars.png")
    assert not list(tmp_path.iterdir())
