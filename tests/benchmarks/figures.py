"""Writes the measured tables of docs/performance.md and docs/scaling.md anew from build/bench.json, and draws them."""

from tests.benchmarks.measured import ROOT
from tests.benchmarks.pictures import draw
from tests.benchmarks.results import fill, read

DOCUMENTS = tuple(ROOT / "docs" / name for name in ("performance.md", "scaling.md"))
PICTURE = ROOT / "docs" / "pictures" / "performance.png"


def main() -> None:
    """Fill every place of every document whose part was measured."""
    found = read()
    for document in DOCUMENTS:
        if document.exists():
            document.write_text(fill(document.read_text(encoding="utf-8"), found), encoding="utf-8")
    draw(found["parts"], PICTURE)


if __name__ == "__main__":
    main()
