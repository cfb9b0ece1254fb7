"""Photos that were used before: found among millions by four indexed bands of their perceptual hash."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.domain import PhotoStatus
from core.likeness import BANDS, bands, differing_bits, differing_coarse_bits
from db.models import Photo

# Chosen on 12.4 million pairs of different photos, of which none passes both (docs/verdicts.md).
COARSE_BITS, ALL_BITS = BANDS - 1, 36


def mark_reused(session: Session, set_id: int, hashes: Mapping[int, str]) -> None:
    """Note at each photo of `hashes` (photo id to perceptual hash) which earlier return holds the same photo.

    Of several, the earliest. Earlier means uploaded before, and scored by now. Part of a transaction.
    """
    if not hashes:
        return
    candidates = _sharing_a_band(session, set_id, hashes.values())
    fresh = select(Photo.id, Photo.uploaded_at).where(Photo.id.in_(sorted(hashes)), Photo.reused_from.is_(None))
    for photo_id, uploaded_at in session.execute(fresh).all():
        earlier = [
            (when, other)
            for other, when, likeness in candidates
            if when < uploaded_at and _is_same(hashes[photo_id], likeness)
        ]
        if earlier:
            session.execute(update(Photo).where(Photo.id == photo_id).values(reused_from=min(earlier)[1]))


def _sharing_a_band(session: Session, set_id: int, hashes: Collection[str]) -> list[tuple[int, datetime, str]]:
    """Set, time of upload and hash of every scored photo of other sets that has a band in common with one of these."""
    wanted = zip(*(bands(likeness) for likeness in hashes), strict=True)
    shares = or_(*(getattr(Photo, f"likeness_{band}").in_(set(values)) for band, values in enumerate(wanted)))
    rows = session.execute(
        select(Photo.set_id, Photo.uploaded_at, Photo.likeness).where(
            shares, Photo.set_id != set_id, Photo.status == PhotoStatus.OK
        )
    )
    return [(other, uploaded_at, likeness) for other, uploaded_at, likeness in rows if likeness is not None]


def _is_same(first: str, second: str) -> bool:
    return differing_coarse_bits(first, second) <= COARSE_BITS and differing_bits(first, second) <= ALL_BITS
