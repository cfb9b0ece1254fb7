"""A report for other programs, and its values for people."""

import csv
import json
import sys
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.errors import SettingsInvalid
from db.queries.tables import ReportTable
from reports.export import csv_pieces, duration, json_pieces, shown, shown_columns, shown_rows, write_parquet

AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
TABLE = ReportTable(
    "fleet_day",
    "A row is a test.",
    ("fleet", "set_id", "day", "returned_at", "score", "agree", "reasons"),
    [
        ('har, "bour"', 1, date(2026, 11, 22), AT, 0.25, True, {"rule": "ä"}),
        ("=1+1", 2, None, None, None, None, None),
    ],
)
RIGA = ZoneInfo("Europe/Riga")


def test_csv_holds_every_value() -> None:
    rows = list(csv.reader(StringIO("".join(csv_pieces(TABLE)))))
    assert rows[0] == list(TABLE.columns)
    assert rows[1] == ['har, "bour"', "1", "2026-11-22", "2026-11-22T23:30:00+00:00", "0.25", "true", '{"rule":"ä"}']
    assert rows[2] == ["'=1+1", "2", "", "", "", "", ""]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_csv_cell_is_a_formula_of_a_spreadsheet(start: str) -> None:
    """Names of fleets and vehicles are chosen by whoever uploads."""
    table = ReportTable("r", "A row.", ("fleet", "score"), [(f'{start}HYPERLINK("http:evil")', -0.5)])
    (_, (fleet, score)) = csv.reader(StringIO("".join(csv_pieces(table)), newline=""))
    assert fleet == f'\'{start}HYPERLINK("http:evil")'
    assert score == "-0.5", "a number stays one"


def test_json_names_every_value() -> None:
    found = json.loads("".join(json_pieces(TABLE)))
    assert found["report"] == "fleet_day"
    assert found["rows"][0] == {
        "fleet": 'har, "bour"',
        "set_id": 1,
        "day": "2026-11-22",
        "returned_at": "2026-11-22T23:30:00+00:00",
        "score": 0.25,
        "agree": True,
        "reasons": {"rule": "ä"},
    }


def test_a_photo_is_named_by_its_key_alone() -> None:
    table = ReportTable("quarantine", "A row.", ("photo_id", "fleet", "vehicle_ref", "object_key", "reason"), [])
    assert shown_columns(table) == ("object_key", "reason")


def test_people_see_the_fleets_own_time_and_no_ids() -> None:
    assert shown_columns(TABLE) == ("fleet", "day", "returned_at", "score", "agree")
    first, second = shown_rows(TABLE, RIGA)
    assert first == ['har, "bour"', "2026-11-22", "2026-11-23 01:30", "0.25", "yes"]
    assert second == ["=1+1", "–", "–", "–", "–"]
    assert shown("age_seconds", 4000, RIGA) == "67 min"
    assert shown("returns", 12345, RIGA) == "12,345"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7140, "119 min"), (7200, "2 h 00 min"), (172800, "2 d 0 h")],
)
def test_spans_of_time_are_said_in_two_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_parquet_keeps_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow, an optional extra, is not installed")
    write_parquet(TABLE, tmp_path / "out.parquet")
    found = parquet.read_table(tmp_path / "out.parquet")
    assert [str(field.type) for field in found.schema] == [
        *("string", "int64", "date32[day]", "timestamp[us, tz=UTC]", "double", "bool", "string")
    ]
    assert found.to_pylist()[0]["returned_at"] == AT
    assert found.to_pylist()[1]["day"] is None


def test_without_pyarrow_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SettingsInvalid, match=r"--parquet needs pyarrow.*pip install 'walkaround\[parquet\]'"):
        write_parquet(TABLE, tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []
