"""How fleets stand over a period: what the pages of `walkaround report NAME --html` and of the night are made from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.wilson import wilson_interval
from db.queries.fleet_figures import ReturnBrief, decided_scores, labels_by_minute, most_damaged, waiting_ages
from db.queries.tables import ReportFilter
from db.session import Sessions
from reports.view import Standing

# How long sets have waited, in hours: up to each bound, and beyond the last.
AGES = (("under 15 min", 0.25), ("15 min to 1 h", 1.0), ("1 to 6 h", 6.0), ("6 to 24 h", 24.0), ("over a day", None))
BINS = 10


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the fleet's own calendar: how many returns came back on it, by where they stand now."""

    day: date
    counts: dict[Standing, int]

    @property
    def total(self) -> int:
        """Returns of the day."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Bin:
    """Reviewed returns whose score lies in one tenth: mean score, how many people called damaged, 95 % interval."""

    mean: float
    returns: int
    damaged: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share of damaged ones, 0 to 1."""
        return self.damaged / self.returns


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What the charts show. `vehicles` are the damaged returns with the highest scores."""

    days: Sequence[Day]
    ages: Sequence[tuple[str, int]]
    reliability: Sequence[Bin]
    vehicles: Sequence[ReturnBrief]

    @property
    def totals(self) -> dict[Standing, int]:
        """Returns of the period by standing, those that occur."""
        counts = Counter[Standing]()
        for day in self.days:
            counts.update(day.counts)
        return {standing: counts[standing] for standing in Standing if counts[standing]}


def read_fleet(
    sessions: Sessions, report_filter: ReportFilter, zone: ZoneInfo, now: datetime, vehicles: int = 12
) -> FleetReport:
    """The period's charts; a fixed number of queries."""
    return FleetReport(
        days=by_local_day(labels_by_minute(sessions, report_filter), zone),
        ages=by_age(waiting_ages(sessions, report_filter, now)),
        reliability=reliability(decided_scores(sessions, report_filter)),
        vehicles=most_damaged(sessions, report_filter, vehicles),
    )


def by_local_day(counted: Sequence[tuple[datetime, str, int]], zone: ZoneInfo) -> list[Day]:
    """Counts by instant and status, as whole days of the zone, each day between the first and the last; pure."""
    days: dict[date, Counter[Standing]] = {}
    for moment, status, count in counted:
        days.setdefault(moment.astimezone(zone).date(), Counter())[Standing(status)] += count
    if not days:
        return []
    span = (max(days) - min(days)).days
    every = [min(days) + timedelta(days=n) for n in range(span + 1)]
    return [Day(day, dict(days.get(day, {}))) for day in every]


def by_age(ages_s: Sequence[float]) -> list[tuple[str, int]]:
    """How many sets have waited how long, by the bounds of `AGES`; pure."""
    counts = Counter(next(name for name, hours in AGES if hours is None or age < hours * 3600) for age in ages_s)
    return [(name, counts[name]) for name, _ in AGES]


def reliability(decided: Sequence[tuple[float, bool]]) -> list[Bin]:
    """(score, whether a person called it damaged) in tenths of the score, with Wilson's score interval (1927); pure."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, damaged in decided:
        bins.setdefault(min(int(score * BINS), BINS - 1), []).append((score, damaged))
    return [_bin(bins[number]) for number in sorted(bins)]


def _bin(inside: Sequence[tuple[float, bool]]) -> Bin:
    n, k = len(inside), sum(damaged for _, damaged in inside)
    return Bin(sum(score for score, _ in inside) / n, n, k, *wilson_interval(k, n))
