"""Failures that are no bug: each is counted, and each kind is logged once a minute, without a stack trace."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

import structlog

from core.errors import NeedsOperator, Transient, WalkaroundError
from workers import metrics

log = structlog.get_logger(__name__)

SILENT_S = 60.0


def cause_of(error: Exception) -> str:
    """Who can help, as `walkaround_failures_total` names it."""
    if isinstance(error, NeedsOperator):
        return "operator"
    if isinstance(error, Transient):
        return "outage"
    return "refused" if isinstance(error, WalkaroundError) else "bug"


class OutageReporter:
    """Reports failures by event and type of error. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._logged_at: dict[tuple[str, type[Exception]], float] = {}
        self._unlogged: dict[tuple[str, type[Exception]], int] = {}

    def __call__(self, event: str, error: WalkaroundError, **ids: object) -> None:
        """Count the failure, and log it unless the same was logged within the last minute."""
        cause = cause_of(error)
        metrics.FAILURES.labels(cause=cause).inc()
        kind, now = (event, type(error)), self._clock()
        with self._lock:
            if now - self._logged_at.get(kind, -SILENT_S) < SILENT_S:
                self._unlogged[kind] = self._unlogged.get(kind, 0) + 1
                return
            self._logged_at[kind] = now
            unlogged = self._unlogged.pop(kind, 0)
        write = log.error if cause == "operator" else log.warning
        write(event, problem=str(error), cause=cause, not_logged_since=unlogged, **ids)


report_outage = OutageReporter()


def log_failure(event: str, set_key: str, error: Exception) -> None:
    """Log that a step failed for one set, where others go on. An outage is one line a minute, a bug has its stack."""
    if isinstance(error, Transient | NeedsOperator):
        report_outage(event, error, set_key=set_key)
    elif isinstance(error, WalkaroundError):
        log.warning(event, set_key=set_key, problem=str(error))
    else:
        log.error(event, set_key=set_key, exc_info=error)
