"""The audit: every object in the store is accounted for, each verdict follows from its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.canonical import canonical_json
from core.domain import AbsenceReason, Label, PhotoStatus, PhotoStore
from core.errors import Refusal
from core.keys import KeyLayout
from core.policy import is_sampled
from db.queries import PlacedSet, decide_again, placed_photos
from db.session import Sessions
from workers.listing import ListedSet, ListingCount, listed_sets, side_by_side, walk_in_order

# Findings shown by name; the rest are counted.
SHOWN = 1000


@dataclass(slots=True)
class Audit:
    """Where every object stands. `findings` name what could not be accounted for; `unplaced` counts them all.

    `listing` counts every object of the store as what it is. Its `content` is `in_verdict`, `quarantined`, `pending`,
    `companions` (files beside the photos, which are no photos) and `unexplained` together. `vanished` photos are gone
    from the store without an explanation: each is a finding.
    """

    listing: ListingCount = field(default_factory=ListingCount)
    sets: int = 0
    in_verdict: int = 0
    quarantined: int = 0
    vanished: int = 0
    pending: int = 0
    companions: int = 0
    unexplained: int = 0
    oldest_pending: datetime | None = None
    recomputed: int = 0
    unplaced: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def parts(self) -> Mapping[str, int]:
        """All objects by where they stand, in words, those that occur: together they are `listing.objects`."""
        listing = self.listing
        parts = {
            "photos in a verdict": self.in_verdict,
            "quarantined": self.quarantined,
            "pending": self.pending,
            "companions": self.companions,
            "control files": listing.control,
            "written by Walkaround": listing.own,
            **{f"litter ({rule})": count for rule, count in sorted(listing.litter.items())},
            "outside the returns' folder": listing.elsewhere,
            "strays": listing.strays,
            "unexplained": self.unexplained,
        }
        return {words: count for words, count in parts.items() if count}

    @property
    def passed(self) -> bool:
        """Whether every object was accounted for and every verdict recomputed."""
        return self.unplaced == 0

    def find(self, sentence: str) -> None:
        """Note an object that has no place, or a verdict that does not follow from its rows."""
        self.unplaced += 1
        if len(self.findings) < SHOWN:
            self.findings.append(sentence)

    def find_object(self, sentence: str) -> None:
        """Note an object of a return that is neither in a verdict nor refused nor pending."""
        self.unexplained += 1
        self.find(sentence)


def audit(store: PhotoStore, layout: KeyLayout, sessions: Sessions, now: datetime, max_pending: timedelta) -> Audit:
    """Account for every object of the store. Lists it whole; changes nothing.

    Raises what the store raises, and `ListingOutOfOrder` rather than findings that are false.
    """
    return walk_in_order(lambda: _audit(store, layout, sessions, now, max_pending))


def _audit(store: PhotoStore, layout: KeyLayout, sessions: Sessions, now: datetime, max_pending: timedelta) -> Audit:
    result = Audit()
    known = placed_photos(sessions, store.name, layout.root)
    listing = listed_sets(
        store,
        layout,
        result.listing,
        on_stray=lambda key: result.find(f"{key}: lies in no return; returns lie under {layout.template}"),
        whole_store=True,
    )
    for listed, placed in side_by_side(listing, known):
        result.sets += 1
        if listed is not None:
            _account(result, listed, placed, now, max_pending)
        if placed is not None:
            _account_absent(result, listed, placed)
            _recompute(result, placed)
    if sum(result.parts.values()) != result.listing.objects:
        result.find(f"{result.listing.objects} objects were listed, and {sum(result.parts.values())} accounted for")
    return result


def _account(result: Audit, listed: ListedSet, placed: PlacedSet | None, now: datetime, limit: timedelta) -> None:
    rows = {photo.object_key: photo for photo in placed.photos} if placed else {}
    for key, etag in listed.content.items():
        row = rows.get(key)
        if placed is None or row is None:
            result.find_object(f"{key}: not in the database; run a scan")
        elif row.etag != etag:
            result.find_object(f"{key}: the database knows another version of it; run a scan")
        elif row.status is PhotoStatus.QUARANTINED and row.reason == Refusal.COMPANION:
            result.companions += 1
        elif row.status is PhotoStatus.QUARANTINED and row.reason:
            result.quarantined += 1
        elif placed.verdict is not None:
            result.in_verdict += 1
        else:
            _account_pending(result, key, placed, now, limit)


def _account_pending(result: Audit, key: str, placed: PlacedSet, now: datetime, limit: timedelta) -> None:
    since = placed.pending_since
    if placed.dead:
        result.find_object(
            f"{key}: its set was given up after too many attempts; mend the cause, then `walkaround replay`"
        )
    elif since is None:
        result.find_object(f"{key}: its set has neither a verdict nor pending work; run a scan")
    elif now - since > limit:
        result.find_object(
            f"{key}: pending since {since:%Y-%m-%d %H:%M} UTC, longer than allowed; see `walkaround doctor`"
        )
    else:
        result.pending += 1
        result.oldest_pending = min(since, result.oldest_pending or since)


def _account_absent(result: Audit, listed: ListedSet | None, placed: PlacedSet) -> None:
    there = listed.content if listed else {}
    for photo in placed.photos:
        key = photo.object_key
        if photo.reason == Refusal.COMPANION and photo.gone_reason is not None:
            continue
        if photo.gone_reason is AbsenceReason.VANISHED:
            result.vanished += 1
            result.find(f"{key}: vanished from the store without an explanation; what was seen on it still counts")
        elif photo.gone_reason is None and key not in there:
            result.find(f"{key}: in the database but not in the store; two scans apart it counts as gone")


def _recompute(result: Audit, placed: PlacedSet) -> None:
    """Decide the set again from its stored rows: the verdict must come out byte for byte."""
    if placed.verdict is None:
        return
    stored = placed.verdict
    again = decide_again(placed.photos, stored)
    sampled = again.label is Label.CLEAR and is_sampled(stored.policy.audit, placed.ref.set_key, placed.generation)
    recomputed = (again.label, again.score, again.input_sha256, sampled)
    same = recomputed == (stored.label, stored.score, stored.input_sha256, stored.sampled)
    if same and canonical_json(again.reasons) == canonical_json(stored.reasons):
        result.recomputed += 1
    else:
        result.find(f"{placed.ref.set_key}: its verdict does not follow from its rows; they were changed by hand")
