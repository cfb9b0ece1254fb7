"""What a nightly scan leaves behind: an HTML and a JSON report in a store, and a signed message to whoever asked."""

import json
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from core.photoset import REPORTS
from db import reports
from db.reports import night as reading
from db.reports.fleet import ReturnBrief, new_damage_since
from db.reports.tables import ReportTable, Wanted, report_table
from workers.context import Context, own_place
from workers.outgoing import tell
from workers.report.drift import Drift, drift
from workers.report.fleet import read_fleet
from workers.report.fleet_page import FleetPage, Section, write_fleet_page
from workers.report.pictures import taking_pictures

log = structlog.get_logger(__name__)

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


def report_night(context: Context, counts: dict[str, int], since: datetime | None) -> str | None:
    """Write tonight's report and tell the webhook; the page's key. What goes wrong is logged, and fails nothing."""
    try:
        now = datetime.now(UTC)
        night = _read(context, counts, since or now - timedelta(days=1), now)
        page, document = _write(context, night)
    except Exception as error:  # the scan has done its work: no report is worth making it run again
        log.exception("nightly_report_failed", problem=str(error))
        return None
    log.info("nightly_report_written", key=page)
    settings = context.settings
    if settings.report_webhook_url and settings.report_webhook_secret:
        tell(settings.report_webhook_url, settings.report_webhook_secret.get_secret_value(), document)
    return page


def _read(context: Context, counts: dict[str, int], since: datetime, now: datetime) -> Night:
    sessions, bucket = context.sessions, context.store.name
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


def _write(context: Context, night: Night) -> tuple[str, bytes]:
    """Both files, the page first: who reads the JSON finds the page that it names."""
    store = own_place(context, context.settings.reports)
    day = night.made_at.astimezone(context.settings.zone).date()
    page, document = f"{REPORTS}fleet-{day}.html", f"{REPORTS}fleet-{day}.json"
    store.write(page, _page(context, night), content_type="text/html; charset=utf-8")
    text = json.dumps(_document(context, night, page), indent=2, ensure_ascii=False, allow_nan=False).encode()
    store.write(document, text, content_type="application/json")
    return page, text


def _page(context: Context, night: Night) -> bytes:
    zone, bucket = context.settings.zone, context.store.name
    month = Wanted(bucket=bucket, since=night.made_at - 5 * WEEK)
    shown = night.damage[:PICTURED]
    model = reports.active_model(context.sessions)
    photos = reports.photos_of_sets(context.sessions, [found.set_id for found in shown], model.id) if model else {}
    page = FleetPage(
        title="The night's fleet report",
        store=bucket,
        subtitle=f"since {night.since.astimezone(zone):%d %B, %H:%M}",
        made_at=night.made_at,
        zone=zone,
        fleet=read_fleet(context.sessions, month, zone, night.made_at, vehicles=0),
        facts=_facts(night),
        notes=_notes(night),
        sections=[Section("Damage decided since the last report, not known before", shown, "None.")],
        tables=[_queue(context), _failed(night)],
        photos=photos,
    )
    with taking_pictures(context) as take, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write_fleet_page(path, page, take)
        return path.read_bytes()


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


def _queue(context: Context) -> ReportTable:
    return report_table(context.sessions, "review_queue", Wanted(), limit=20)


def _failed(night: Night) -> ReportTable:
    rows = [(failure.set_key, failure.last_error or "") for failure in night.failures]
    comment = "A row is a return that was given up; mend what its error says, then run walkaround replay."
    return ReportTable("given up", comment, ("return", "last_error"), rows)


def _document(context: Context, night: Night, page: str) -> dict[str, Any]:
    return {
        "kind": "walkaround.fleet_report",
        "made_at": night.made_at.isoformat(),
        "since": night.since.isoformat(),
        "store": context.store.name,
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
