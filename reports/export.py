"""A report's table for other programs: CSV, JSON, Parquet; and as text for people."""

import csv
import json
from collections.abc import Iterable
from datetime import date, datetime
from importlib import import_module
from io import StringIO
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
_IN_OBJECT_KEY = frozenset(["fleet", "vehicle_ref", "return_ref"])
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_csv(table: ReportTable) -> str:
    """The table with a header line; times in ISO 8601 and UTC, documents as JSON, nothing for null."""
    target = StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_as_text(value) for value in row] for row in table.rows)
    return target.getvalue()


def table_json(table: ReportTable) -> str:
    """The table as `{"report", "rows": [{column: value}]}`; times and days in ISO 8601."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return json.dumps({"report": table.name, "rows": rows}, indent=2, ensure_ascii=False, default=_iso, allow_nan=False)


def write_parquet(table: ReportTable, path: Path) -> None:
    """Write the table with typed columns. Raises `SettingsInvalid` where pyarrow is not installed."""
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise SettingsInvalid(
            "--parquet needs pyarrow, which is not installed; pip install 'walkaround[parquet]', or take --csv"
        ) from error
    columns = {name: [row[place] for row in table.rows] for place, name in enumerate(table.columns)}
    arrays = [_arrow_column(arrow, name, values) for name, values in columns.items()]
    parquet.write_table(arrow.table(arrays, names=list(columns)), path)


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


def _arrow_column(arrow: Any, name: str, values: list[Any]) -> Any:
    if name.endswith("_at"):
        return arrow.array(values, arrow.timestamp("us", tz="UTC"))
    if name == "day":
        return arrow.array(values, arrow.date32())
    texts = [canonical_json(value) if isinstance(value, dict | list) else value for value in values]
    return arrow.array(texts, arrow.string() if all(value is None for value in texts) else None)


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
