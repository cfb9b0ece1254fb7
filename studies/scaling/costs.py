"""What one return costs, and what servers stand and ask in money: each figure with where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from core.model.artefact import open_artefact
from core.settings import SHIPPED_MODEL

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that the simulation stands on; `source` says who measured or assumed it."""

    value: float
    unit: str
    about: str
    source: str


_QUIET = "two quiet cores of an EPYC (Zen 5)"
_SCALE_OUT = "scale_out, 2026-11-27, two cores of an EPYC (Zen 3)"
_LIMIT = "AWS's documented limit"
_ASSUMED = "assumed"

_STATED = {
    "photos": Figure(10, "", "photos in a return", _ASSUMED),
    "photo_mb": Figure(3.6, "MB", "a photo of 12 megapixels", "tests/benchmarks/photographs.py"),
    "decode_ms": Figure(30, "ms", "decoding a photo, on one core", _QUIET),
    "float32_ms": Figure(38, "ms", "one view on a CPU in float32, on one core", _QUIET),
    "bfloat16_ms": Figure(20, "ms", "one view on a CPU in bfloat16, on one core", _QUIET),
    "gpu_views_per_s": Figure(12_000, "/s", "views that a GPU scores", "reasoned: a tenth of an H100's bf16 peak"),
    "download_ms": Figure(120, "ms", "fetching a photo, of which many at a time", _ASSUMED),
    "event_ms": Figure(1500, "ms", "from the upload to a message at a worker: event, queue, listing, commit", _ASSUMED),
    "listing_ms": Figure(80, "ms", "one page of 1,000 keys", _ASSUMED),
    "commands": Figure(10.1, "", "broker commands for a return", _SCALE_OUT),
    "idle_commands_per_s": Figure(2.6, "/s", "broker commands of a worker that waits", _SCALE_OUT),
    "broker_ms": Figure(
        0.7, "ms", "the broker's CPU for a return", "`make bench PARTS=overhead`, 2026-11-27: 0.07 ms a photo"
    ),
    "transactions": Figure(5.68, "", "transactions for a return, one event", _SCALE_OUT),
    "database_ms": Figure(30.4, "ms", "the database's CPU for a return", _SCALE_OUT),
    "wal_kb": Figure(56, "kB", "write-ahead log for a return", _SCALE_OUT),
    "rows_kb": Figure(
        16,
        "kB",
        "rows and indexes of a return",
        "docs/reporting.md: 9.2 GB for a million without predictions, of which ten are 0.63 kB each by their columns",
    ),
    "likeness_share": Figure(8.9e-7, "", "share of all photos that one is compared with", "docs/verdicts.md"),
    "likeness_us": Figure(
        8,
        "µs",
        "fetching one of them and comparing it with a return's photos",
        "measured among a million photos: 2.5 µs to fetch, 5 to compare",
    ),
    "nightly_window_h": Figure(3, "h", "the time in which a nightly scan must end", _ASSUMED),
    "retention_days": Figure(90, "days", "the time for which photos are kept", _ASSUMED),
    "cores": Figure(16, "", "cores of a node, with or without a GPU", _ASSUMED),
    "cpu_gbit": Figure(12.5, "Gbit/s", "network of a CPU node", _ASSUMED),
    "gpu_gbit": Figure(25, "Gbit/s", "network of a GPU node", _ASSUMED),
    "target_s": Figure(60, "s", "upload to verdict for 95 of 100 returns", _ASSUMED),
    "broker_limit": Figure(100_000, "/s", "commands that one Redis answers", _ASSUMED),
    "database_cores": Figure(64, "", "cores of the largest database machine one would rent", _ASSUMED),
    "transaction_limit": Figure(10_000, "/s", "small writing transactions that one PostgreSQL commits", _ASSUMED),
    "connections": Figure(500, "", "connections that PostgreSQL holds well without a pooler", _ASSUMED),
    "get_limit": Figure(5_500, "/s", "GETs under one prefix", _LIMIT),
    "put_limit": Figure(3_500, "/s", "PUTs under one prefix", _LIMIT),
    "cpu_node_price": Figure(0.70, "$/h", "a CPU node", _ASSUMED),
    "gpu_node_price": Figure(4.00, "$/h", "a GPU node", _ASSUMED),
    "database_core_price": Figure(0.10, "$/h", "a core of a managed database", _ASSUMED),
    "database_gb_price": Figure(0.12, "$/GB/month", "its disk", _ASSUMED),
    "bucket_gb_price": Figure(0.023, "$/GB/month", "the photos' storage", _ASSUMED),
    "put_price": Figure(5e-6, "$", "a PUT or LIST", _ASSUMED),
    "get_price": Figure(4e-7, "$", "a GET", _ASSUMED),
}


def figures(bench: Path, given: Mapping[str, str]) -> dict[str, Figure]:
    """All figures; what `make bench` measured (build/bench.json) replaces what is stated, and what is given both.

    Raises `SystemExit` for a given figure that there is not, or that is no number.
    """
    plan = open_artefact(SHIPPED_MODEL).card.input.plan
    found = dict(_STATED)
    found["views"] = Figure(plan.cost, "", "views of 224 x 224 that a photo costs", "the shipped model's card")
    parts = json.loads(bench.read_text(encoding="utf-8")).get("parts", {}) if bench.exists() else {}
    measured = parts.get("scale_out", {})
    if measured and not measured["small"]:
        for name, value in measured["figures"].items():
            if name in found and name != "rows_kb":  # an empty database's first pages say nothing of a full one
                source = f"scale_out, {measured['at'][:10]}, {measured['machine']}"
                found[name] = replace(found[name], value=float(f"{value:.3g}"), source=source)
    for name, number in given.items():
        if name not in found or not number.replace(".", "", 1).isdigit():
            raise SystemExit(f"--set {name}={number}: name one of {', '.join(sorted(found))}, and a number")
        found[name] = replace(found[name], value=float(number), source="given")
    return found


def values(stated: dict[str, Figure]) -> Figures:
    """The figures without their words."""
    return {name: figure.value for name, figure in stated.items()}
