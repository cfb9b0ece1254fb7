"""Nodes, and what a day of returns asks of them and of the servers behind them."""

from dataclasses import dataclass
from math import ceil

from studies.scaling.costs import Figures
from studies.scaling.queueing import DAY, least_nodes, peak_to_mean, percentiles

MONTH = 30 * DAY


@dataclass(frozen=True, slots=True)
class Node:
    """A kind of node: photos it scores a second, seconds for a lone return, what limits it, dollars an hour."""

    name: str
    photos_per_s: float
    alone_s: float
    limit: str
    price: float


def nodes(f: Figures) -> tuple[Node, ...]:
    """The kinds of nodes that are compared; with as many cores each."""
    cpu = [
        _node(f"CPU, {precision}", f, f["cores"] * 1000 / (f["decode_ms"] + f["views"] * f[f"{precision}_ms"]), "cpu")
        for precision in ("float32", "bfloat16")
    ]
    return (*cpu, _node("GPU", f, f["gpu_views_per_s"] / f["views"], "gpu"))


def _node(name: str, f: Figures, model_rate: float, kind: str) -> Node:
    rates = {
        "the model": model_rate,
        "decoding": f["cores"] * 1000 / f["decode_ms"],
        "the network": f[f"{kind}_gbit"] * 125 / f["photo_mb"],
    }
    limit = min(rates, key=lambda part: rates[part])
    spread = ceil(f["photos"] / f["cores"]) * f["decode_ms"] / 1000
    alone = f["download_ms"] / 1000 + spread + f["photos"] / model_rate
    return Node(name, rates[limit], alone, limit, f[f"{kind}_node_price"])


@dataclass(frozen=True, slots=True)
class Service:
    """A day of returns on so many nodes: seconds from upload to verdict, dollars a month."""

    nodes: int
    median_s: float
    p95_s: float
    dollars: float


def serve(f: Figures, node: Node, returns: int, count: int) -> Service:
    """The day of so many returns, on `count` nodes of a kind."""
    service_s = f["photos"] / node.photos_per_s
    rest = _rest(f, node)
    median, late = percentiles(returns, count, service_s)
    return Service(count, median + rest, late + rest, count * node.price * MONTH / 3600)


def nodes_needed(f: Figures, node: Node, returns: int) -> int:
    """The fewest nodes that keep the target in the daily curve."""
    service_s = f["photos"] / node.photos_per_s
    return least_nodes(returns, service_s, f["target_s"] - _rest(f, node))


def nodes_for_the_mean(f: Figures, node: Node, returns: int) -> int:
    """The fewest nodes that end the day without a backlog, at nine tenths of their rate."""
    return ceil(returns * f["photos"] / DAY / (0.9 * node.photos_per_s))


def _rest(f: Figures, node: Node) -> float:
    """What passes besides waiting for a node and its work: the event, and what a lone return takes longer."""
    return f["event_ms"] / 1000 + max(0.0, node.alone_s - f["photos"] / node.photos_per_s)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a day of returns asks of one kind of server: how much, of how much, and in what."""

    server: str
    used: float
    limit: float
    unit: str

    @property
    def share(self) -> float:
        """Above 1 it breaks."""
        return self.used / self.limit


def asked(f: Figures, returns: float, workers: float) -> list[Asked]:
    """What the servers are asked for in the day's busiest second, and the scan at night."""
    peak = returns / DAY * peak_to_mean()
    objects = returns * (f["photos"] + 1) * f["retention_days"]
    stored = returns * f["photos"] * f["retention_days"]
    set_ms = f["photos"] * (f["decode_ms"] + f["views"] * f["float32_ms"])
    compared_ms = f["photos"] * stored * f["likeness_share"] * f["likeness_us"] / 1000
    return [
        Asked("broker, commands/s", peak * f["commands"] + workers * f["idle_commands_per_s"], f["broker_limit"], ""),
        Asked("broker, CPU", peak * f["broker_ms"] / 1000, 1, " cores"),
        Asked("database, transactions/s", peak * f["transactions"], f["transaction_limit"], ""),
        Asked("database, CPU", peak * f["database_ms"] / 1000, f["database_cores"], " cores"),
        Asked("database, connections", workers * (2 * f["cores"] + 4), f["connections"], ""),
        Asked("search for reused photos, of a return's CPU", 100 * compared_ms / set_ms, 5, " %"),
        Asked("bucket, GETs/s under one prefix", peak * f["photos"], f["get_limit"], ""),
        Asked("bucket, PUTs/s under one prefix", peak * (f["photos"] + 1), f["put_limit"], ""),
        Asked("nightly scan, hours", objects / 1000 * f["listing_ms"] / 3.6e6, f["nightly_window_h"], " h"),
    ]


def largest(f: Figures, server: str) -> float:
    """Returns a day at which one server of a kind, undivided, reaches its limit; workers not counted."""
    return next(item.limit / item.used for item in asked(f, 1.0, 0.0) if item.server == server)


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars a month besides nodes, and what lies behind: terabytes of photos, gigabytes of new rows, of log."""

    photos_tb: float
    rows_gb: float
    wal_gb: float
    bucket: float
    requests: float
    database: float


def bill(f: Figures, returns: float) -> Bill:
    """A month of so many returns a day, photos kept for the retention time and rows for a year."""
    photos_gb = returns * f["photos"] * f["photo_mb"] / 1000 * f["retention_days"]
    rows_gb = returns * 30 * f["rows_kb"] / 1e6
    wal_gb = returns * 30 * f["wal_kb"] / 1e6
    month = returns * 30 * f["photos"]
    requests = month * (f["put_price"] + f["get_price"]) + returns * 30 * 2 * f["put_price"]
    cores = max(2, ceil(returns / DAY * peak_to_mean() * f["database_ms"] / 1000 / 0.6))
    database = cores * f["database_core_price"] * MONTH / 3600 + 12 * rows_gb * f["database_gb_price"]
    return Bill(photos_gb / 1000, rows_gb, wal_gb, photos_gb * f["bucket_gb_price"], requests, database)
