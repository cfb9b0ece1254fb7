"""`make simulate`: nodes, servers and money for fleets of any size, from what one return costs.

Writes docs/pictures/scaling.png, and the tables of docs/scaling.md between their markers. The costs are those that
`make bench PARTS=scale_out` measured here (build/bench.json) where it has run, else those stated in costs.py.
"""

import argparse
from pathlib import Path

from studies.scaling.costs import figures, values
from studies.scaling.picture import draw
from studies.scaling.tables import insert, tables

_DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, default=_DOCS.parent / "build" / "bench.json")
    parser.add_argument("--docs", type=Path, default=_DOCS, help="where scaling.md and pictures/ lie")
    parser.add_argument("--set", action="append", default=[], metavar="FIGURE=NUMBER", help="a price of yours, say")
    given = parser.parse_args()
    stated = figures(given.bench, dict(item.split("=", 1) for item in given.set))
    insert(given.docs / "scaling.md", tables(stated, values(stated)))
    draw(values(stated), given.docs / "pictures" / "scaling.png")


if __name__ == "__main__":
    main()
