"""`make bench`: measures the parts asked for, prints what came out, and keeps it in build/bench.json."""

import argparse
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import results
from tests.benchmarks.measured import Spread, machine
from tests.benchmarks.parts import PARTS


def main(arguments: list[str] | None = None) -> None:
    """Run the parts named, or all quick ones."""
    asked = _parser().parse_args(arguments)
    unknown = sorted(set(asked.parts) - set(PARTS))
    if unknown:
        raise SystemExit(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    console = Console()
    console.print(machine())
    for name in asked.parts or [name for name, part in PARTS.items() if part.quick]:
        console.print(f"\n[bold]{name}[/bold]: {PARTS[name].about}")
        start = time.perf_counter()
        measured = PARTS[name].measure(asked.small)
        entry = results.as_json(name, measured, small=asked.small, seconds=time.perf_counter() - start)
        results.merge(name, entry)
        _show(console, entry)
    console.print(
        f"\nA ratio of 2 means twice as fast. Kept in {results.RESULTS}; "
        "`python -m tests.benchmarks.figures` writes it into docs/performance.md."
    )


def _parser() -> argparse.ArgumentParser:
    about = "\n".join(
        f"  {name:26} {part.about} ({part.minutes:g} min{', quick' if part.quick else ''})"
        for name, part in PARTS.items()
    )
    parser = argparse.ArgumentParser(
        "make bench",
        description=__doc__,
        epilog=f"parts:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what to measure; the quick parts where none is named")
    parser.add_argument("--small", action="store_true", help="a run of seconds that shows that it works, no figures")
    return parser


def _show(console: Console, entry: dict[str, Any]) -> None:
    for found in entry["tables"]:
        table = Table(*found["columns"], title=found["title"] or None, title_justify="left")
        for row in found["rows"]:
            table.add_row(*("–" if cell is None else str(cell) for cell in row))
        console.print(table)
    for note in entry["notes"]:
        console.print(note)
    for name, found in entry["ratios"].items():
        console.print(f"{name}: {Spread(**found)}", highlight=False)


if __name__ == "__main__":
    main()
