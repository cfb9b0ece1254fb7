"""The report of a night: its figures from the database, as an HTML page for people and as JSON for programs."""

import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from db import queries
from db.queries import night_figures as reading
from db.queries.fleet_figures import ReturnBrief, new_damage_since
from db.queries.tables import ReportFilter, ReportTable, report_table
from db.session import Sessions
from reports.drift import Drift, drift
from reports.fleet import read_fleet
from reports.fleet_page import FleetPage, Section, write_fleet_page
from reports.page import RenderThumbnails

SHOWN = 200  # returns named in the JSON
PICTURED = 24  # of them on the page
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Night:
    """The night in figures. `since` is when the scan before this one ended; `counts` are this scan's.

    `damage` was decided since: new, or of vehicles that have no baseline to call it new by.
    """

    made_at: datetime
    since: datetime
    counts: dict[str, int]
    damage: list[ReturnBrief]
    queue: int
    failures: list[reading.Failure]
    refused: dict[str, int]
    drift: Drift

    def of_novelty(self, novelty: str) -> list[ReturnBrief]:
        """The damage that is `new`, or has `no baseline`."""
        return [found for found in self.damage if found.novelty == novelty]


def read_night(sessions: Sessions, bucket: str, counts: dict[str, int], since: datetime, now: datetime) -> Night:
    """The figures of the night that ends `now`; `counts` are the scan's."""
    recent = reading.score_shape(sessions, bucket, now - WEEK, now)
    return Night(
        made_at=now,
        since=since,
        counts=counts,
        damage=new_damage_since(sessions, bucket, since, SHOWN),
        queue=reading.queue_length(sessions),
        failures=reading.failures(sessions, bucket, SHOWN),
        refused=reading.refused_photos(sessions, bucket),
        drift=drift(recent, reading.score_shape(sessions, bucket, now - 5 * WEEK, now - WEEK)),
    )


def night_page(sessions: Sessions, bucket: str, zone: ZoneInfo, night: Night, render: RenderThumbnails) -> bytes:
    """The night as one HTML page."""
    month = ReportFilter(bucket=bucket, since=night.made_at - 5 * WEEK)
    shown = night.damage[:PICTURED]
    model = queries.active_model(sessions)
    photos = queries.photos_of_sets(sessions, [found.set_id for found in shown], model.id) if model else {}
    page = FleetPage(
        title="The night's fleet report",
        store=bucket,
        subtitle=f"since {night.since.astimezone(zone):%d %B, %H:%M}",
        made_at=night.made_at,
        zone=zone,
        fleet=read_fleet(sessions, month, zone, night.made_at, vehicles=0),
        facts=_facts(night),
        notes=_notes(night),
        sections=[Section("Damage decided since the last report, not known before", shown, "None.")],
        tables=[_queue(sessions), _failed(night)],
        photos=photos,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write_fleet_page(path, page, render)
        return path.read_bytes()


def night_document(bucket: str, night: Night, page: str) -> dict[str, Any]:
    """The night for programs; `page` is the key of its HTML page."""
    return {
        "kind": "walkaround.fleet_report",
        "made_at": night.made_at.isoformat(),
        "since": night.since.isoformat(),
        "store": bucket,
        "page": page,
        "scan": night.counts,
        "new_damage": [_brief(found) for found in night.of_novelty("new")],
        "damage_without_baseline": [_brief(found) for found in night.of_novelty("no baseline")],
        "review_queue": night.queue,
        "failures": [asdict(failure) for failure in night.failures],
        "photos_not_scored": night.refused,
        "drift": {
            "stability_index": night.drift.index,
            "recent": asdict(night.drift.recent),
            "before": asdict(night.drift.before),
            "words": night.drift.words,
        },
    }


def _facts(night: Night) -> list[tuple[str, str, int]]:
    counts = night.counts
    return [
        ("new damage", "damaged", len(night.of_novelty("new"))),
        ("damage, no baseline", "damaged", len(night.of_novelty("no baseline"))),
        ("for a person to look at", "undecided", night.queue),
        ("given up", "failed", len(night.failures)),
        ("photos not scored", "undecided", sum(night.refused.values())),
        ("returns events missed", "pending", counts.get("missing", 0)),
        ("repaired by the scan", "pending", counts.get("repaired", 0)),
        ("reviews written to the store", "pending", counts.get("reviews_written", 0)),
        ("objects listed", "", counts.get("objects", 0)),
    ]


def _notes(night: Night) -> list[str]:
    refused = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in night.refused.items())
    failed, unwritten = night.counts.get("failed", 0), night.counts.get("reviews_unwritten", 0)
    return [
        night.drift.words,
        *([f"Photos not scored: {refused}."] if refused else []),
        *([f"{unwritten} reviews are in the database alone; the scan's log says why."] if unwritten else []),
        *([f"{failed} returns could not be looked at by the scan; its log says why."] if failed else []),
    ]


def _queue(sessions: Sessions) -> ReportTable:
    return report_table(sessions, "review_queue", ReportFilter(), limit=20)


def _failed(night: Night) -> ReportTable:
    rows = [(failure.set_key, failure.last_error or "") for failure in night.failures]
    comment = "A row is a return that was given up; mend what its error says, then run walkaround replay."
    return ReportTable("given up", comment, ("return", "last_error"), rows)


def _brief(found: ReturnBrief) -> dict[str, Any]:
    return {
        "set_key": found.set_key,
        "fleet": found.fleet,
        "vehicle": found.vehicle,
        "return": found.return_ref,
        "returned_at": found.returned_at.isoformat(),
        "score": found.score,
        "decided_by": found.decided_by,
    }
