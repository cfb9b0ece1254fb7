"""A report's table for other programs: CSV, JSON, Parquet; and as text for people."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from importlib import import_module
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from core.canonical import canonical_json
from core.errors import SettingsInvalid
from db.queries.tables import ReportTable

# Long or meant for programs: in every file, but on no screen.
_UNSEEN = frozenset(
    [
        *("bucket", "set_key", "reasons", "input_sha256", "content_sha256", "etag", "generation", "model_label"),
        *("photo_id", "set_id", "vehicle_id", "verdict_id", "review_id", "model_id", "other_model_id"),
        *("baseline_set_id", "first_seen_at", "uploaded_at", "last_change_at", "check_at"),
    ]
)
_BATCH = 5000  # rows written to Parquet at a time
_IN_OBJECT_KEY = frozenset(["fleet", "vehicle_ref", "return_ref"])
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_pieces(table: ReportTable) -> Iterator[str]:
    """The table line by line, a header first; times in ISO 8601 and UTC, documents as JSON, nothing for null."""
    line = StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in chain([table.columns], table.rows):
        line.seek(0)
        line.truncate()
        writer.writerow([_as_text(value) for value in row])
        yield line.getvalue()


def json_pieces(table: ReportTable) -> Iterator[str]:
    """The table as `{"report", "rows": [{column: value}]}`, row by row; times and days in ISO 8601."""
    yield f'{{\n  "report": {json.dumps(table.name)},\n  "rows": ['
    separator = "\n    "
    for values in table.rows:
        row = dict(zip(table.columns, values, strict=True))
        text = json.dumps(row, indent=2, ensure_ascii=False, default=_iso, allow_nan=False)
        yield separator + text.replace("\n", "\n    ")
        separator = ",\n    "
    yield "]\n}\n" if separator == "\n    " else "\n  ]\n}\n"


def write_parquet(table: ReportTable, path: Path) -> int:
    """Write the table with typed columns, and return the number of rows.

    The rows are read twice: for the types of the columns, and to be written in batches.
    Raises `SettingsInvalid` where pyarrow is not installed.
    """
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise SettingsInvalid(
            "--parquet needs pyarrow, which is not installed; pip install 'walkaround[parquet]', or take --csv"
        ) from error
    kinds: list[set[type]] = [set() for _ in table.columns]
    for row in table.rows:
        for kind, value in zip(kinds, row, strict=True):
            kind.add(type(value))
    schema = arrow.schema(
        [(name, _arrow_type(arrow, name, kind)) for name, kind in zip(table.columns, kinds, strict=True)]
    )
    count, rows = 0, iter(table.rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := list(islice(rows, _BATCH)):
            columns = [[_arrow_value(value) for value in column] for column in zip(*batch, strict=True)]
            writer.write_batch(arrow.record_batch(columns, schema=schema))
            count += len(batch)
    return count


def shown_columns(table: ReportTable) -> tuple[str, ...]:
    """The columns that people read. A photo's key names its fleet, vehicle and return already."""
    unseen = _UNSEEN | _IN_OBJECT_KEY if "object_key" in table.columns else _UNSEEN
    return tuple(name for name in table.columns if name not in unseen)


def shown_rows(table: ReportTable, zone: ZoneInfo) -> Iterable[list[str]]:
    """The rows as people read them, times in the fleet's time zone."""
    places = [(table.columns.index(name), name) for name in shown_columns(table)]
    return ([shown(name, row[place], zone) for place, name in places] for row in table.rows)


def shown(name: str, value: Any, zone: ZoneInfo) -> str:
    """One value as people read it; `name` is its column."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
    if name.endswith("_seconds"):
        return duration(float(value))
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def duration(seconds: float) -> str:
    """A span of time in its two largest units."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{hours // 24} d {hours % 24} h"


def _arrow_type(arrow: Any, name: str, kinds: set[type]) -> Any:
    if name.endswith("_at"):
        return arrow.timestamp("us", tz="UTC")
    if name == "day":
        return arrow.date32()
    known = ((bool, arrow.bool_()), (float, arrow.float64()), (int, arrow.int64()))
    return next((type_ for kind, type_ in known if kind in kinds), arrow.string())


def _arrow_value(value: Any) -> Any:
    return canonical_json(value) if isinstance(value, dict | list) else value


def _as_text(value: Any) -> Any:
    """A CSV cell. A text that a spreadsheet would run as a formula gets an apostrophe in front.

    The rule is OWASP's: https://owasp.org/www-community/attacks/CSV_Injection
    """
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    if isinstance(value, dict | list):
        return canonical_json(value)
    if isinstance(value, bool):
        return str(value).lower()
    return _iso(value) if isinstance(value, date | datetime) else value


def _iso(value: Any) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} has no JSON")
