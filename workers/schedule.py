"""What beat rings, and when. Both tasks ask the database what is due, so a tick lost or doubled does no harm."""

from datetime import timedelta
from typing import Any


def schedule(reconcile_every: timedelta) -> dict[str, dict[str, Any]]:
    """Celery's beat_schedule."""
    return {
        # Rings again for work that messages lost; a set waits at most this long longer than its lease.
        "reconcile": {"task": "walkaround.reconcile", "schedule": reconcile_every},
        # Starts the nightly fleet scan when the fleet's local time has come (core.nightly decides).
        "nightly-scan": {"task": "walkaround.nightly_scan", "schedule": timedelta(minutes=1)},
    }
