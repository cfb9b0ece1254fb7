"""Whether a process makes progress, as its liveness probe asks, and whether it can take work, as readiness asks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from time import monotonic

from core.errors import WalkaroundError

PROGRESS_LIMIT = timedelta(minutes=10)  # longer than the slowest single step: a fleet scan's page, a large set


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a process is healthy (or ready), and what a person reads about it."""

    healthy: bool
    reason: str


class Progress:
    """Whether a process makes progress. Touched by its loop whenever something was done; asked by its liveness probe.

    It is unhealthy once `due` has said, from one probe to another, that something is to be done, for longer than
    `limit` without a touch. With nothing to do it may be silent for ever. Safe to use from many threads.
    """

    def __init__(
        self,
        limit: timedelta = PROGRESS_LIMIT,
        *,
        due: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._limit = limit.total_seconds()
        self._due = due
        self._clock = clock
        self._lock = Lock()
        self._waiting_since: float | None = None
        self._failure: str | None = None

    def touch(self) -> None:
        """Something was done just now."""
        with self._lock:
            self._waiting_since = None

    def fail(self, reason: str) -> None:
        """This process can do no more: it is unhealthy for ever."""
        self._failure = reason

    def health(self) -> Health:
        """The state as of now."""
        if self._failure is not None:
            return Health(False, self._failure)
        try:
            due = self._due()
        except WalkaroundError as error:  # a database that is away is not this process's fault; a restart helps nobody
            return Health(True, f"it is not known whether work is due: {error}")
        with self._lock:
            if not due:
                self._waiting_since = None
                return Health(True, "nothing to do")
            now = self._clock()
            if self._waiting_since is None:
                self._waiting_since = now
            silent = now - self._waiting_since
        if silent > self._limit:
            return Health(False, f"work is due, and nothing was done for {silent:.0f} s")
        return Health(True, "work is being done")


Check = Callable[[], object]


def readiness(checks: Iterable[Check]) -> Health:
    """Whether all that a process needs is there: each of `checks` raises a `WalkaroundError` where it is not."""
    for check in checks:
        try:
            check()
        except WalkaroundError as error:
            return Health(False, str(error))
    return Health(True, "ready")
