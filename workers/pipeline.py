"""The steps in order: ingest -> claim -> classify -> finish; reconcile and scan repair what lost messages missed.

No step holds a transaction open while it talks to the store or the device, and every step may run twice.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from time import perf_counter

import structlog
from structlog.contextvars import bound_contextvars

from core.domain import SetRef, StoredObject
from core.errors import DeviceBroken, InvalidKey, ModelFailed, PhotoChanged, WalkaroundError
from core.keys import validate_key
from core.nightly import scan_is_due
from core.policy import Policy
from db import queries, transactions
from db.models import Queue
from db.transactions import Finish, IngestOutcome, IntakeResult, WorkKey
from workers import metrics
from workers.backlog import open_missing_work, publish_all, publish_due, request_rescoring
from workers.context import Context, Scoring
from workers.lease import kept_scan
from workers.listing import ListedSet, ListingCount, differs, listed_sets, side_by_side, walk_in_order
from workers.outages import log_failure
from workers.retries import give_back, give_back_unexplained
from workers.review_objects import write_missing_reviews
from workers.scoring import LeaseLost, score_set
from workers.second_look import judge_all_refused_again, judge_refused_again
from workers.set_listing import read_listing

log = structlog.get_logger(__name__)

# Open sets that one tick looks at again at most.
LOOKED_AT = 1000
# Sets new to a scan that are written down in one commit.
NEW_SETS_A_COMMIT = 250


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """What one tick did: messages sent, sets looked at again."""

    published: int
    looked: int


@dataclass(slots=True)
class ScanResult:
    """What a scan found and repaired; `strays` are objects under the scanned prefix that belong to no set.

    `judged_again` are sets with photos that the store refused and gives now.

    `reviews_written` had no object in the store until now; `reviews_unwritten` are not known to have one still.
    """

    objects: int = 0
    sets: int = 0
    missing: int = 0
    repaired: int = 0
    failed: int = 0
    strays: int = 0
    rescoring: int = 0
    judged_again: int = 0
    reviews_written: int = 0
    reviews_unwritten: int = 0


def set_of(context: Context, key: str) -> SetRef:
    """The set that an object's key, or a set's folder, belongs to. Raises `InvalidKey`."""
    if key:  # an empty key is the whole store, where that is one set
        validate_key(key)
    ref = context.layout.parse(key if key and not key.endswith("/") else f"{key}_")
    if ref is None:
        raise InvalidKey(f"{key} does not lie in a set; sets lie under {context.layout.template}")
    return ref


def ingest(context: Context, ref: SetRef) -> IngestOutcome:
    """List a set, write down what is there, and publish its work if it became complete. Any number of times."""
    outcome = ingest_listing(context, ref, list(context.store.list(ref.set_key)))
    # A photo absent from two listings is asked for by name before it counts as gone.
    gone = [key for key in outcome.missing if context.store.stat(key) is None]
    if gone:
        outcome = ingest_listing(context, ref, list(context.store.list(ref.set_key)), gone)
    judge_refused_again(context, outcome.set_id)
    log.info(
        "set_ingested",
        set_key=ref.set_key,
        set_id=outcome.set_id,
        generation=outcome.generation,
        changed=outcome.changed,
        closed_by=outcome.closed_by.value if outcome.closed_by else None,
    )
    return outcome


def ingest_listing(
    context: Context, ref: SetRef, objects: Sequence[StoredObject], gone: Sequence[str] = ()
) -> IngestOutcome:
    """Write down one listing of a set, commit, then publish."""
    now = datetime.now(UTC)
    seen = read_listing(context, ref, objects, now)
    expected, bucket = context.rules.expected, context.store.name
    outcome = transactions.ingest(
        context.sessions, bucket, ref, seen.photos, seen.completeness, seen.manifest, expected, now, gone
    )
    publish_all(context, outcome.opened, Queue.CLASSIFY)
    return outcome


def classify(context: Context, scoring: Scoring, work: WorkKey) -> Finish | None:
    """Claim a set, score its photos, and store its verdict. None where there was nothing to claim, or it went back.

    Raises `DeviceBroken`, the set given back, where this process can score no more.
    """
    policy = _policy_of(context, scoring, work.model_id)
    if policy is None:  # other weights, as during a model swap: it is published again, for the workers of that model
        return None
    claim = transactions.claim(context.sessions, work, context.settings.lease, context.settings.max_attempts)
    if claim is None:
        return None
    started = perf_counter()
    with bound_contextvars(set_key=claim.ref.set_key, set_id=work.set_id, generation=work.generation):
        try:
            results = score_set(context, scoring, claim)
            seconds = perf_counter() - started
            device_seconds = sum(result.device_seconds for result in results)
            outcome = transactions.finish(context.sessions, claim, results, policy, datetime.now(UTC), device_seconds)
        except LeaseLost:
            outcome, seconds = Finish.FENCED, perf_counter() - started
        except PhotoChanged as error:
            give_back(context, claim, error)
            ingest(context, claim.ref)
            return None
        except ModelFailed as error:
            metrics.DEVICE_FAILURES.inc()
            give_back(context, claim, error)
            if isinstance(error, DeviceBroken):
                raise
            return None
        except WalkaroundError as error:
            give_back(context, claim, error)
            return None
        except Exception as error:
            give_back_unexplained(context, claim, error)
            raise
        metrics.SETS_FINISHED.labels(outcome=outcome.value).inc()
        metrics.VERDICT_SECONDS.labels(queue=claim.queue.value).observe(seconds)
        if outcome is Finish.VERDICT:
            waited = (datetime.now(UTC) - claim.uploaded_at).total_seconds()
            metrics.RETURN_SECONDS.labels(queue=claim.queue.value).observe(max(0.0, waited))
        log.info("set_finished", outcome=outcome.value, photos=len(claim.photos), seconds=round(seconds, 3))
        return outcome


def _policy_of(context: Context, scoring: Scoring, model_id: int) -> Policy | None:
    """The policy that a model version decides by, if this worker's weights are that version's, else None."""
    if model_id == scoring.model_id:
        return scoring.policy
    version = queries.model_by_id(context.sessions, model_id)
    mine = scoring.classifier.identity
    return version.policy if version is not None and version.identity.scores_as(mine) else None


def reconcile(context: Context) -> ReconcileResult:
    """Open work that is missing, publish what is due, look again at sets whose quiet period or deadline has come.

    Runs every minute; two at once do no harm. It asks the database what should be done and is not: never who died.
    """
    open_missing_work(context)
    published = publish_due(context)
    waiting = transactions.sets_due(context.sessions, datetime.now(UTC), LOOKED_AT)
    looked = sum(_look_again(context, set_key) for set_key in waiting)
    return ReconcileResult(published=published, looked=looked)


def _look_again(context: Context, set_key: str) -> bool:
    """Ingest a set by its key; one bad set must not stop the others."""
    try:
        ingest(context, set_of(context, set_key))
    except Exception as error:
        log_failure("set_not_looked_at", set_key, error)
        return False
    return True


def scan(context: Context, kind: str = "fleet") -> ScanResult:
    """List the whole store, ingest what events missed, notice what is gone, open rescoring for a new model.

    Then write the reviews that have no object in the store yet.

    Listing and database are walked side by side in key order, page by page: memory stays flat at any size, and a set
    that stands in the database as it is listed costs nothing but the listing. Raises what the store raises, and
    `ListingOutOfOrder`.
    """
    bucket, root = context.store.name, context.layout.root
    return _scan(context, kind, transactions.start_scan(context.sessions, kind, bucket, root, datetime.now(UTC)))


def _scan(context: Context, kind: str, scan_id: int) -> ScanResult:
    with kept_scan(context, scan_id):
        scanned = walk_in_order(lambda: _compare_and_repair(context))
        scanned.judged_again = judge_all_refused_again(context)
        scanned.rescoring = request_rescoring(context)
        publish_due(context)
        _write_reviews(context, scanned)
    transactions.finish_scan(context.sessions, scan_id, asdict(scanned), datetime.now(UTC))
    log.info("scan_finished", kind=kind, **asdict(scanned))
    return scanned


def _compare_and_repair(context: Context) -> ScanResult:
    """Walk listing and database side by side, and ingest what differs."""
    bucket, root = context.store.name, context.layout.root
    scanned, count = ScanResult(), ListingCount()
    known = queries.set_rows(context.sessions, bucket, root)
    new: list[ListedSet] = []
    for listed, row in side_by_side(listed_sets(context.store, context.layout, count, _log_stray), known):
        scanned.sets += listed is not None
        if not differs(listed, row):
            continue
        if row is not None:
            _repair(context, row.ref, scanned)
        elif listed is not None:
            new.append(listed)
        if len(new) == NEW_SETS_A_COMMIT:
            _record_new_sets(context, new, scanned)
            new.clear()
    _record_new_sets(context, new, scanned)
    scanned.objects, scanned.strays = count.objects, count.strays
    return scanned


def _record_new_sets(context: Context, new: Sequence[ListedSet], scanned: ScanResult) -> None:
    """Write down sets that nobody knew, in one commit as they were listed; one by one where that cannot be."""
    scanned.missing += len(new)
    now = datetime.now(UTC)
    taken = IntakeResult(frozenset(), ())
    try:
        listings = [read_listing(context, listed.ref, listed.objects, now) for listed in new]
        if listings:
            taken = transactions.record_new_sets(
                context.sessions, context.store.name, listings, context.rules.expected, now
            )
    except Exception as error:  # one of them fails the commit of all; each alone shows which one it is
        log.warning("sets_not_taken_in", problem=f"{type(error).__name__}: {error}")
    publish_all(context, taken.opened, Queue.CLASSIFY)
    scanned.repaired += len(taken.set_keys)
    for listed in new:
        if listed.ref.set_key not in taken.set_keys:
            _repair(context, listed.ref, scanned)


def _repair(context: Context, ref: SetRef, scanned: ScanResult) -> None:
    try:
        scanned.repaired += ingest(context, ref).changed
    except Exception as error:
        scanned.failed += 1
        log_failure("set_not_ingested", ref.set_key, error)


def _log_stray(key: str) -> None:
    log.warning("stray_object", key=key)


def _write_reviews(context: Context, scanned: ScanResult) -> None:
    outcome = write_missing_reviews(context)
    scanned.reviews_written, scanned.reviews_unwritten = outcome.written, outcome.unwritten
    if outcome.problem:
        log.warning("reviews_not_written", count=outcome.unwritten, problem=outcome.problem)


def scan_if_due(context: Context) -> ScanResult | None:
    """Tonight's fleet scan and its report, unless it was made or is being made."""
    settings, now = context.settings, datetime.now(UTC)
    started = transactions.start_due_scan(
        context.sessions,
        "fleet",
        context.store.name,
        context.layout.root,
        now,
        is_due=partial(scan_is_due, now, settings.scan_at, settings.zone),
    )
    if started is None:
        return None
    from workers.night import report_night  # what every other process that runs steps can do without

    scanned = _scan(context, "fleet", started.id)
    report_night(context, asdict(scanned), started.since)
    return scanned
