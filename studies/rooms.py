"""Draws the rooms of the code from its imports into docs/architecture.md: `python -m studies.rooms`.

A room is a top-level package, or a folder inside `core` or `db`. An arrow means "imports"; arrows that follow
from others are left out. A test holds the picture against the imports, and fails on a circle.
"""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "architecture.md"
PACKAGES = ("cli", "workers", "web", "reports", "db", "core")
DIVIDED = ("db", "core")  # packages whose folders are rooms of their own
LEFT_OUT = frozenset({"core.testing", "db.migrations"})  # used by tests; run by Alembic
TITLES = {
    "cli": "cli<br>the command line",
    "workers": "workers<br>pipeline, Celery application",
    "web": "web<br>what listens on HTTP",
    "reports": "reports<br>tables, pages, exports",
    "db": "db<br>tables, sessions",
    "db.transactions": "db.transactions<br>every write",
    "db.queries": "db.queries<br>every read",
    "db.views": "db.views<br>SQL views",
    "core": "core<br>domain, rules, settings",
    "core.training": "core.training<br>how a model is made and judged",
    "core.model": "core.model<br>the model as it serves",
    "core.photos": "core.photos<br>from bytes to pixels",
    "core.storage": "core.storage<br>folder, S3",
}
START, END = "<!-- rooms: python -m studies.rooms -->\n", "<!-- end of rooms -->"

Arrow = tuple[str, str]


def room_of(module: str) -> str:
    """The room that a module lies in: `core.model` for core.model.engine, `reports` for reports.words."""
    parts = module.split(".")
    divided = len(parts) > 1 and parts[0] in DIVIDED and (ROOT / parts[0] / parts[1]).is_dir()
    return ".".join(parts[: 2 if divided else 1])


def import_arrows() -> set[Arrow]:
    """(importer, imported) for every two rooms where a module of the first imports one of the second."""
    graph = grimp.build_graph(*PACKAGES)
    arrows = {
        (room_of(module), room_of(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return {(a, b) for a, b in arrows if a != b and not {a, b} & LEFT_OUT}


def find_circle(arrows: Iterable[Arrow]) -> list[str]:
    """The rooms of one circle of imports, first and last the same; empty where there is none."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for importer, imported in arrows:
        sorter.add(importer, imported)
    try:
        sorter.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def without_implied(arrows: set[Arrow]) -> set[Arrow]:
    """The arrows that do not follow from a longer way (the transitive reduction); there must be no circle."""
    below: dict[str, set[str]] = {}
    for importer, imported in arrows:
        below.setdefault(importer, set()).add(imported)

    def reaches(start: str, goal: str) -> bool:
        return any(room == goal or reaches(room, goal) for room in below.get(start, ()))

    return {(a, b) for a, b in arrows if not any(reaches(other, b) for other in below[a] - {b})}


def picture() -> str:
    """The rooms as a Mermaid flowchart. Raises `ValueError` where imports make a circle."""
    arrows = import_arrows()
    if circle := find_circle(arrows):
        raise ValueError(f"imports make a circle: {' -> '.join(circle)}; move what is shared below both")
    rooms = {room for arrow in arrows for room in arrow}
    lines = ["```mermaid", "flowchart TD"]
    lines += [f'    {room.replace(".", "_")}["{TITLES[room]}"]' for room in TITLES if room in rooms]
    lines += [
        f"    {importer.replace('.', '_')} --> {imported.replace('.', '_')}"
        for importer, imported in sorted(without_implied(arrows))
    ]
    return "\n".join([*lines, "```"]) + "\n"


def with_picture(text: str) -> str:
    """The document with the picture between its two marks."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{picture()}{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_picture(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
