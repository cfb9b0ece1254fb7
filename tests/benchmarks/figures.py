"""Writes the measured tables of docs/performance.md and docs/scaling.md anew from build/bench.json."""

from tests.benchmarks.measured import ROOT
from tests.benchmarks.results import fill, read

DOCUMENTS = tuple(ROOT / "docs" / name for name in ("performance.md", "scaling.md"))


def main() -> None:
    """Fill every place of every document whose part was measured."""
    for document in DOCUMENTS:
        if document.exists():
            document.write_text(fill(document.read_text(encoding="utf-8"), read()), encoding="utf-8")


if __name__ == "__main__":
    main()
