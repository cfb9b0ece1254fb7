"""What beat sends, and when. Both tasks ask the database what is due, so a message lost or doubled does no harm."""

from datetime import timedelta
from typing import Any

# A weekend without an intake worker leaves thousands of messages: all but the last few are dropped unread. Long enough
# for clocks of two machines that differ by minutes.
EXPIRES = timedelta(minutes=10)


def schedule(reconcile_every: timedelta) -> dict[str, dict[str, Any]]:
    """Celery's beat_schedule."""
    return {
        # Publishes again what messages lost; a return waits at most this long longer than its lease.
        "reconcile": {
            "task": "walkaround.reconcile",
            "schedule": reconcile_every,
            "options": {"expires": int(max(EXPIRES, 2 * reconcile_every).total_seconds())},
        },
        # Starts the nightly fleet scan when the fleet's local time has come (core.nightly decides).
        "nightly-scan": {
            "task": "walkaround.nightly_scan",
            "schedule": timedelta(minutes=1),
            "options": {"expires": int(EXPIRES.total_seconds())},
        },
    }
