"""The report of a nightly scan: HTML and JSON in a store, and a signed message to the configured receiver."""

import json
from datetime import UTC, datetime, timedelta

import structlog

from core.object_kinds import REPORTS
from reports.night_page import Night, night_document, night_page, read_night
from reports.pictures import open_thumbnailer
from workers.bootstrap import own_place
from workers.context import Context
from workers.outgoing import post_signed

log = structlog.get_logger(__name__)


def report_night(context: Context, counts: dict[str, int], since: datetime | None) -> str | None:
    """Write the report and send it to the webhook. Returns the page's key; None after a failure, which is logged."""
    try:
        now = datetime.now(UTC)
        night = read_night(context.sessions, context.store.name, counts, since or now - timedelta(days=1), now)
        page, document = _write(context, night)
    except Exception as error:  # the scan has done its work: no report is worth making it run again
        log.exception("nightly_report_failed", problem=str(error))
        return None
    log.info("nightly_report_written", key=page)
    settings = context.settings
    if (url := settings.report_webhook_url) and (secret := settings.report_webhook_secret):
        post_signed(url.get_secret_value(), secret.get_secret_value(), document)
    return page


def _write(context: Context, night: Night) -> tuple[str, bytes]:
    """Both files, the page first: who reads the JSON finds the page that it names."""
    store = own_place(context, context.settings.reports)
    day = night.made_at.astimezone(context.settings.zone).date()
    page, document = f"{REPORTS}fleet-{day}.html", f"{REPORTS}fleet-{day}.json"
    with open_thumbnailer(context.store, context.settings) as render:
        html = night_page(context.sessions, context.store.name, context.settings.zone, night, render)
    store.write(page, html, content_type="text/html; charset=utf-8")
    text = json.dumps(
        night_document(context.store.name, night, page), indent=2, ensure_ascii=False, allow_nan=False
    ).encode()
    store.write(document, text, content_type="application/json")
    return page, text
