"""When the nightly fleet scan is due: once a night at a local time, also over daylight-saving changes. Pure."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

# A running scan gives a sign every minute. Without one for this long it failed or was lost with its worker, and another
# one may begin.
LOST_AFTER = timedelta(minutes=10)


def latest_due(now: datetime, scan_at: time, zone: ZoneInfo) -> datetime:
    """The last instant, in UTC, at which a scan was due.

    A local time that daylight saving skips is taken by the offset before the change (02:30 becomes 03:30); one that
    comes twice counts the first time only.
    """
    local_day = now.astimezone(zone).date()
    for days_back in range(3):
        due = datetime.combine(local_day - timedelta(days=days_back), scan_at, zone).astimezone(UTC)
        if due <= now:
            return due
    raise AssertionError("some day of the last three lies in the past")


def scan_is_due(
    now: datetime, scan_at: time, zone: ZoneInfo, last_sign: datetime | None, last_finished: datetime | None
) -> bool:
    """Whether tonight's scan has not ended, and none is running: the last sign of one is too old."""
    due = latest_due(now, scan_at, zone)
    if last_finished is not None and last_finished >= due:
        return False
    return last_sign is None or last_sign < due or now - last_sign > LOST_AFTER
