"""A lease kept for as long as its worker lives: slow work keeps it, a dead or frozen process loses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Thread
from time import monotonic

from core.errors import WalkaroundError
from db import transactions
from db.transactions import Claim
from workers.context import Context
from workers.outages import report_outage

# Not kept for longer than this: a device that never answers must not hold its set for ever.
LONGEST_SECONDS = 1800.0


@contextmanager
def kept_lease(context: Context, claim: Claim) -> Iterator[Event]:
    """Renew the claim's lease from a thread of its own until the block ends; the event says that it was lost."""
    lost, done = Event(), Event()
    every = context.settings.lease.total_seconds() / 3
    end = monotonic() + LONGEST_SECONDS

    def keep() -> None:
        while not done.wait(every) and monotonic() < end:
            try:
                if not transactions.renew(context.sessions, claim, context.settings.lease):
                    lost.set()
                    return
            except WalkaroundError as error:  # the database is away: there is time for another try
                report_outage("lease_not_renewed", error)

    # In a copy of this thread's context: its log lines carry the same ids.
    keeper = Thread(target=copy_context().run, args=[keep], name="lease", daemon=True)
    keeper.start()
    try:
        yield lost
    finally:
        done.set()
        keeper.join()
