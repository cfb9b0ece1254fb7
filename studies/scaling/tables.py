"""The tables of docs/scaling.md, and their place in it."""

import re
from collections.abc import Iterable
from pathlib import Path

from studies.scaling.costs import Figure, Figures
from studies.scaling.fleet import (
    Asked,
    Node,
    asked,
    bill,
    largest,
    nodes,
    nodes_for_the_mean,
    nodes_needed,
    serve,
)
from studies.scaling.queueing import DAY, peak_to_mean

DAYS = (10_000, 100_000, 1_000_000, 10_000_000)  # returns
COUNTS = (10, 100, 1000)  # nodes
_END = "<!-- end of simulate -->"


def tables(stated: dict[str, Figure], f: Figures) -> dict[str, str]:
    """Every table by the name of its place."""
    return {
        "nodes": _nodes(f),
        "days": _days(f),
        "late": _late(f),
        "servers": _servers(f),
        "counts": _counts(f),
        "shards": _shards(f),
        "bill": _bill(f),
        "figures": _figures(stated),
    }


def insert(document: Path, made: dict[str, str]) -> None:
    """Put each table in its place. Raises `SystemExit` where the document has no place for one, or one too many."""
    text = document.read_text(encoding="utf-8")
    places = set(re.findall("<!-- simulate: (.*?) -->", text))
    if places != set(made):
        raise SystemExit(f"{document} and the simulation disagree on tables: {sorted(places ^ set(made))}")
    for name, table in made.items():
        place = f"<!-- simulate: {name} -->\n{table}\n{_END}"
        before, rest = text.split(f"<!-- simulate: {name} -->", 1)
        text = before + place + rest.split(_END, 1)[1]
    document.write_text(text, encoding="utf-8")


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(columns)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _nodes(f: Figures) -> str:
    rows = []
    for views in dict.fromkeys((f["views"], 1.0)):
        kinds = nodes(f | {"views": views})
        for node in kinds:
            times = kinds[-1].photos_per_s / node.photos_per_s
            rows.append((
                f"{views:.0f}", node.name, f"{node.photos_per_s:,.0f}", node.limit, f"{_capacity(f, node):,.0f}",
                f"{times:.1f} times that", f"{1e6 * node.price / 3600 / node.photos_per_s:.2f}",
            ))  # fmt: skip
    columns = (
        "views of a photo", "node", "photos/s", "limited by", "returns a day at the peak's rate", "a GPU node does",
        "$ a million photos",
    )  # fmt: skip
    return _table(columns, rows)


def _capacity(f: Figures, node: Node) -> float:
    """Returns a day with which the peak keeps a node just busy."""
    return node.photos_per_s / f["photos"] * DAY / peak_to_mean()


def _days(f: Figures) -> str:
    rows = []
    for returns in DAYS:
        offers = [(node, serve(f, node, returns, nodes_needed(f, node, returns))) for node in nodes(f)]
        least = min(service.dollars for _, service in offers)
        for node, service in offers:
            rows.append((
                f"{returns:,}", node.name, service.nodes, _duration(service.median_s), _duration(service.p95_s),
                f"**{service.dollars:,.0f}**" if service.dollars == least else f"{service.dollars:,.0f}",
            ))  # fmt: skip
    return _table(("returns a day", "nodes", "how many", "p50", "p95", "$ a month"), rows)


def _late(f: Figures) -> str:
    rows = []
    for node in nodes(f):
        few, enough = nodes_for_the_mean(f, node, DAYS[-1]), nodes_needed(f, node, DAYS[-1])
        for count in sorted({few, few + (enough - few) // 3, few + 2 * (enough - few) // 3, enough, enough + 1}):
            service = serve(f, node, DAYS[-1], count)
            rows.append((
                node.name, count, _duration(service.median_s), _duration(service.p95_s), f"{service.dollars:,.0f}",
            ))  # fmt: skip
    return _table(("nodes", "how many", "p50", "p95", "$ a month"), rows)


def _servers(f: Figures) -> str:
    columns = []
    for returns in DAYS:
        workers = nodes_needed(f, nodes(f)[0], returns)
        columns.append(asked(f, returns, workers))
    rows = []
    for line in zip(*columns, strict=True):
        rows.append((line[0].server, _amount(line[0].limit, line[0].unit), *(_cell(item) for item in line)))
    return _table(("", "limit", *(f"{returns:,} a day" for returns in DAYS)), rows)


def _counts(f: Figures) -> str:
    rows = []
    for node in (nodes(f)[0], nodes(f)[-1]):
        for count in COUNTS:
            returns = count * _capacity(f, node)
            broken = [item.server for item in asked(f, returns, count) if item.share > 1]
            gigabytes = count * node.photos_per_s * f["photo_mb"] / 1000
            rows.append((
                f"{count:,} × {node.name}", f"{returns / 1e6:,.1f} million", f"{gigabytes:,.1f}", "; ".join(broken),
            ))  # fmt: skip
    return _table(("nodes", "returns a day", "GB/s from the bucket", "past their limits, undivided"), rows)


def _shards(f: Figures) -> str:
    limits = {item.server: largest(f, item.server) for item in asked(f, 1.0, 0.0) if item.used}
    rows = [(server, f"{limits[server]:,.0f}") for server in sorted(limits, key=lambda server: limits[server])]
    return _table(("", "returns a day"), rows)


def _bill(f: Figures) -> str:
    rows = []
    for returns in DAYS:
        month = bill(f, returns)
        compute = min(serve(f, node, returns, nodes_needed(f, node, returns)).dollars for node in nodes(f))
        rows.append((
            f"{returns:,}", f"{compute:,.0f}", f"{month.database:,.0f}", f"{month.requests:,.0f}",
            f"{month.bucket:,.0f} ({month.photos_tb:,.0f} TB)", f"{month.rows_gb:,.1f}", f"{month.wal_gb:,.0f}",
        ))  # fmt: skip
    columns = ("returns a day", "nodes, $", "database, $", "requests, $", "photos, $", "new rows, GB", "WAL, GB")
    return _table(columns, rows)


def _figures(stated: dict[str, Figure]) -> str:
    rows = [(figure.about, f"{figure.value:,.6g} {figure.unit}".strip(), figure.source) for figure in stated.values()]
    return _table(("figure", "value", "from"), rows)


def _cell(item: Asked) -> str:
    amount = _amount(item.used, item.unit)
    return f"**{amount}**" if item.share > 1 else amount


def _amount(value: float, unit: str) -> str:
    return f"{value:,.0f}{unit}" if value >= 10 else f"{value:.2g}{unit}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
