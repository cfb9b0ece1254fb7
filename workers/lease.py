"""What a worker keeps alive for as long as it lives: slow work keeps it, a dead or frozen process loses it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from threading import Event, Thread
from time import monotonic

from core.errors import WalkaroundError
from db import transactions
from db.transactions import Claim
from workers.context import Context
from workers.outages import report_outage

# A lease is not kept for longer than this: a device that never answers must not hold its set for ever.
LONGEST_SECONDS = 1800.0
# A running scan gives a sign this often; one without a sign for ten times as long is lost (`core.nightly`).
SCAN_SIGN_SECONDS = 60.0


@contextmanager
def kept_lease(context: Context, claim: Claim) -> Iterator[Event]:
    """Renew the claim's lease from a thread of its own until the block ends; the event says that it was lost."""
    lost = Event()
    end = monotonic() + LONGEST_SECONDS

    def keep() -> bool:
        if monotonic() >= end:
            return False
        if not transactions.renew(context.sessions, claim, context.settings.lease):
            lost.set()
        return not lost.is_set()

    with _repeated("lease", context.settings.lease.total_seconds() / 3, keep):
        yield lost


@contextmanager
def kept_scan(context: Context, scan_id: int) -> Iterator[None]:
    """Record now and then that the scan goes on, until the block ends."""

    def keep() -> bool:
        transactions.keep_scan(context.sessions, scan_id, datetime.now(UTC))
        return True

    with _repeated("scan", SCAN_SIGN_SECONDS, keep):
        yield


@contextmanager
def _repeated(name: str, every: float, keep: Callable[[], bool]) -> Iterator[None]:
    """Call `keep` every so many seconds from a thread of its own, until it returns False or the block ends."""
    done = Event()

    def run() -> None:
        while not done.wait(every):
            try:
                if not keep():
                    return
            except WalkaroundError as error:  # the database is away: there is time for another try
                report_outage(f"{name}_not_kept", error)

    # In a copy of this thread's context: its log lines carry the same ids.
    keeper = Thread(target=copy_context().run, args=[run], name=name, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
