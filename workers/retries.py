"""How a claimed set that failed goes back to the queue: when it is tried again, and what counts against it."""

from datetime import timedelta

import structlog

from core.errors import WalkaroundError
from db import transactions
from db.session import check_version, engine_of
from db.transactions import Claim
from workers import metrics
from workers.context import Context
from workers.outages import report_outage

log = structlog.get_logger(__name__)


def retry_pause(failures: int) -> timedelta:
    """How long a set waits that failed `failures` times before: 5 s at first, doubled each time, 5 min at most."""
    return timedelta(seconds=min(5 * 2 ** min(failures, 8), 300))


def give_back(context: Context, claim: Claim, error: WalkaroundError) -> None:
    """Back to the queue for any number of tries: the cause passes, or an operator mends it, and nothing is given up."""
    report_outage("set_given_back", error, failures=claim.failures + 1)
    transactions.release(context.sessions, claim, retry_pause(claim.failures), f"{type(error).__name__}: {error}")


def give_back_unexplained(context: Context, claim: Claim, error: Exception) -> None:
    """The same for an error that is none of ours: a bug, and one met too often is given up for a person to look at.

    Before that the database is asked for its version: of a version that this program does not know it explains any
    error. Raises `DatabaseUnusable` then, when the set was given back.
    """
    try:
        check_version(engine_of(context.sessions))
    except WalkaroundError as explanation:
        give_back(context, claim, explanation)
        raise
    metrics.FAILURES.labels(cause="bug").inc()
    problem = f"{type(error).__name__}: {error}"
    log.warning("set_given_back", problem=problem, failures=claim.failures + 1)
    if claim.bugs + 1 >= context.settings.max_attempts:
        transactions.bury(context.sessions, claim, problem)
        return
    transactions.release(context.sessions, claim, retry_pause(claim.failures), problem, is_bug=True)
