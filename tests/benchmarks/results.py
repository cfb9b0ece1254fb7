"""build/bench.json: the findings of parts run at different times, put together; and as Markdown."""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.measured import ROOT, Measured, Spread, machine, revision

RESULTS = ROOT / "build" / "bench.json"


def as_json(part: str, measured: Measured, *, small: bool, seconds: float) -> dict[str, Any]:
    """One part's entry."""
    return {
        "command": f'make bench PARTS="{part}"' + (" SMALL=1" if small else ""),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": revision(),
        "machine": machine(),
        "small": small,
        "seconds": round(seconds),
        "ratios": {name: asdict(found) for name, found in measured.ratios.items()},
        "tables": [
            {
                "title": table.title,
                "columns": list(table.columns),
                "rows": [[_plain(cell) for cell in row] for row in table.rows],
            }
            for table in measured.tables
        ],
        "notes": list(measured.notes),
        "figures": dict(measured.figures),
    }


def merge(part: str, entry: dict[str, Any], file: Path = RESULTS) -> None:
    """Put one part's entry into the file; those of other parts stay.

    A small run shows only that a part works: it never takes a full one's place, and its ratios are not listed.
    """
    known = read(file)["parts"]
    if entry["small"] and not known.get(part, entry)["small"]:
        return
    parts = known | {part: entry}
    full = [other for other in parts.values() if not other["small"]]
    ratios = {name: found["median"] for other in full for name, found in other["ratios"].items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".new")
    temporary.write_text(
        json.dumps({"machine": entry["machine"], "ratios": ratios, "parts": parts}, indent=1) + "\n", encoding="utf-8"
    )
    temporary.replace(file)


def read(file: Path = RESULTS) -> dict[str, Any]:
    """What was measured so far."""
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found if "parts" in found else {"parts": {}}


def as_markdown(entry: dict[str, Any]) -> str:
    """One part's tables, notes and ratios, with when, where and how they were measured."""
    size = "a small run, to be replaced by a full one; " if entry["small"] else ""
    blocks = [
        f"`{entry['command']}`: {size}{entry['at'][:16].replace('T', ' ')} UTC, revision {entry['revision']}, "
        f"{entry['machine']}, {entry['seconds']:,} s."
    ]
    for table in entry["tables"]:
        blocks += [f"**{table['title']}**"] if table["title"] else []
        blocks.append(_table(table["columns"], table["rows"]))
    blocks += entry["notes"]
    if entry["ratios"]:
        rows = [[f"`{name}`", str(Spread(**found)), found["rounds"]] for name, found in entry["ratios"].items()]
        blocks.append(_table(["ratio", "median (lowest to highest)", "rounds"], rows))
    return "\n\n".join(blocks) + "\n"


def fill(document: str, results: dict[str, Any]) -> str:
    """The document with each part's place filled; a part that was not measured keeps what stands there."""

    def section(found: re.Match[str]) -> str:
        entry = results["parts"].get(found["part"])
        return found[0] if entry is None else f"{found['open']}\n{as_markdown(entry)}\n{found['close']}"

    return _PLACE.sub(section, document)


_PLACE = re.compile(r"(?P<open><!-- bench: (?P<part>[a-z0-9_-]+) -->\n).*?(?P<close><!-- end of bench -->)", re.DOTALL)


def _plain(cell: object) -> object:
    return (
        cell
        if cell is None or isinstance(cell, int | str)
        else str(cell)
        if isinstance(cell, Spread)
        else _number(cell)
    )


def _number(value: Any) -> str:
    number = float(value)
    return f"{number:,.{2 if abs(number) < 10 else 1 if abs(number) < 100 else 0}f}"


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    lines = [
        columns,
        ["---"] * len(columns),
        *([f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows),
    ]
    return "\n".join("| " + " | ".join("–" if cell is None else str(cell) for cell in line) + " |" for line in lines)
