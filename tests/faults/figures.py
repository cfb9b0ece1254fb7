"""One file of figures a run; put together as build/faults.json and as the table of docs/reliability.md."""

import json
import math
import re
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.system import Figures

FOLDER = Path(__file__).parents[2] / "build" / "faults"
_PLACE = re.compile(r"(<!-- figures: .*?-->\n).*?(<!-- end of figures -->)", re.DOTALL)
COUNTS = ("lost", "doubled", "wrong", "changed", "fenced", "messages lost", "reviews submitted", "reviews stored")


def write(figures: Figures) -> None:
    """Keep the figures of one run that passed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", figures.scenario.lower())
    (FOLDER / f"{name}-{figures.seed}.json").write_text(json.dumps(vars(figures)))


def read() -> list[dict[str, Any]]:
    """The figures of all runs."""
    runs = [json.loads(file.read_text()) for file in FOLDER.glob("*.json")]
    return sorted(runs, key=lambda run: (int(re.findall(r"\d+", run["scenario"])[0]), run["scenario"], run["seed"]))


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a scenario: seeds, sums, and recovery in seconds."""
    rows = []
    for scenario in dict.fromkeys(run["scenario"] for run in runs):
        of = [run for run in runs if run["scenario"] == scenario]
        recovery = sorted(value for run in of for value in run["recovery_s"])
        sums = {part: sum((Counter(run[part]) for run in of), Counter()) for part in ("events", "faults", "counts")}
        rows.append(
            {
                "scenario": scenario,
                "seeds": [run["seed"] for run in of],
                "sets": sum(run["sets"] for run in of),
                **{part: dict(counter) for part, counter in sums.items()},
                "recovery_s": {
                    "p50": statistics.median(recovery),
                    "p95": recovery[math.ceil(0.95 * len(recovery)) - 1],
                    "max": recovery[-1],
                }
                if recovery
                else None,
            }
        )
    return rows


def as_table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    head = (
        "| scenario | seeds | sets | events sent / dropped / doubled | faults | lost | doubled | wrong | changed "
        "| fenced | messages lost | reviews sent / stored | recovery p50 / p95 / max, s |"
    )
    lines = [head, "|" + "---|" * head.count(" | ") + "---|"]
    for row in rows:
        events, counts, recovery = row["events"], row["counts"], row["recovery_s"]
        cells = [
            row["scenario"],
            len(row["seeds"]),
            row["sets"],
            " / ".join(str(events.get(kind, 0)) for kind in ("sent", "dropped", "doubled")),
            ", ".join(f"{kind} {count}" for kind, count in sorted(row["faults"].items())),
            *(counts.get(kind, 0) for kind in COUNTS[:6]),
            f"{counts.get('reviews submitted', 0)} / {counts.get('reviews stored', 0)}",
            " / ".join(f"{recovery[part]:.1f}" for part in ("p50", "p95", "max")) if recovery else "–",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Write build/faults.json and print the table; with `--document`, put it into docs/reliability.md."""
    rows = summarise(read())
    (FOLDER.parent / "faults.json").write_text(json.dumps(rows, indent=2))
    seeds = sorted({seed for row in rows for seed in row["seeds"]})
    runs = sum(len(row["seeds"]) for row in rows)
    table = f"{as_table(rows)}\n\n{sum(row['sets'] for row in rows)} sets in {runs} runs, seeds {seeds}.\n"
    print(table)  # noqa: T201  a command's answer
    if sys.argv[1:] == ["--document"]:
        document = FOLDER.parents[1] / "docs" / "reliability.md"
        filled = _PLACE.sub(lambda found: f"{found[1]}\n{table}{found[2]}", document.read_text())
        document.write_text(filled)


if __name__ == "__main__":
    main()
