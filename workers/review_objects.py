"""Reviews as objects in a store, one each and never changed: they can be restored after the database is lost."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby, islice

from core.domain import PhotoStore
from core.errors import PhotoMissing, PhotoRefused, ReviewRefused, WalkaroundError
from core.object_kinds import REVIEWS, is_review_key
from core.review_line import MAX_LINE_BYTES, ReviewLine, parse_review
from db import queries, transactions
from workers.bootstrap import own_place
from workers.context import Context

BATCH = 500  # reviews handed to the store, or recorded in one transaction
_AT_ONCE = 16  # requests: a store far away answers one in some hundredths of a second


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Objects that are new, reviews that are not known to have one, and why the first of those has none."""

    written: int = 0
    unwritten: int = 0
    problem: str | None = None


def write_reviews(context: Context, lines: Iterable[ReviewLine]) -> WriteResult:
    """Write recorded reviews, each where nothing lies yet. A store that fails is left alone; nothing is raised."""
    try:
        place = _place(context)
    except WalkaroundError as error:
        return _none_written(lines, error)
    written, unwritten, problem = 0, 0, None
    rest = iter(lines)
    with ThreadPoolExecutor(_AT_ONCE) as requests:
        while batch := list(islice(rest, BATCH)):
            if problem is not None:
                unwritten += len(batch)
                continue
            for outcome in requests.map(partial(_write, place), batch):
                if isinstance(outcome, bool):
                    written += outcome
                else:
                    unwritten, problem = unwritten + 1, problem or str(outcome)
    return WriteResult(written, unwritten, problem)


def write_missing_reviews(context: Context) -> WriteResult:
    """Write every review of the database that one listing does not show; memory: some 200 bytes a review."""
    lines = queries.review_lines(context.sessions, context.store.name)
    try:
        there = {entry.key for entry in _place(context).list(REVIEWS)}
    except WalkaroundError as error:
        return _none_written(lines, error)
    return write_reviews(context, (line for line in lines if line.object_key not in there))


def stored_reviews(context: Context) -> list[str]:
    """The keys of all reviews in the store, month by month."""
    return [entry.key for entry in _place(context).list(REVIEWS) if is_review_key(entry.key)]


def restore_reviews(context: Context, keys: Sequence[str]) -> Iterator[tuple[str, bool | WalkaroundError]]:
    """Record what lies under `keys`, in the order in which it was decided.

    For each key: True where it was added, False where it was there already, or why it was refused.
    """
    place = _place(context)
    with ThreadPoolExecutor(_AT_ONCE) as requests:
        for _, month in groupby(keys, key=lambda key: key.rpartition("/")[0]):
            of_month = list(month)
            good: list[ReviewLine] = []
            for key, found in zip(of_month, requests.map(partial(_read, place), of_month), strict=True):
                if isinstance(found, ReviewLine):
                    good.append(found)
                else:
                    yield key, found
            yield from _record(context, sorted(good, key=_decided_at))


def _record(context: Context, lines: Sequence[ReviewLine]) -> Iterator[tuple[str, bool | WalkaroundError]]:
    rest, bucket = iter(lines), context.store.name
    while batch := list(islice(rest, BATCH)):
        outcomes = transactions.import_reviews(context.sessions, bucket, batch, datetime.now(UTC), restoring=True)
        yield from ((line.object_key, outcome) for line, outcome in zip(batch, outcomes, strict=True))


def _none_written(lines: Iterable[ReviewLine], error: WalkaroundError) -> WriteResult:
    return WriteResult(unwritten=sum(1 for _ in lines), problem=str(error))


def _write(place: PhotoStore, line: ReviewLine) -> bool | WalkaroundError:
    try:
        return place.create(line.object_key, line.to_json().encode(), content_type="application/json")
    except WalkaroundError as error:
        return error


def _read(place: PhotoStore, key: str) -> ReviewLine | WalkaroundError:
    try:
        line = parse_review(place.read(key, max_bytes=MAX_LINE_BYTES).data)
        if line.object_key != key:
            raise ReviewRefused(f"it holds the decision that belongs at {line.object_key}; put it there")
    except (ReviewRefused, PhotoRefused, PhotoMissing) as error:
        return error
    return line


def _decided_at(line: ReviewLine) -> datetime:
    assert line.reviewed_at is not None, "it has an object's key"
    return line.reviewed_at


def _place(context: Context) -> PhotoStore:
    return own_place(context, context.settings.reviews)
