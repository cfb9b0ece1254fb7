"""Finds photos that an earlier return already holds, by two indexed halves of their perceptual hash."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.domain import PhotoStatus
from core.phash_bits import COARSE_BITS, differing_bits, differing_coarse_bits, near_halves
from db.dialect import is_one_of
from db.models import Photo, two_bands

# Chosen on 12.4 million pairs of different photos, of which none differs in so few and in `COARSE_BITS` of the coarse.
ALL_BITS = 36


def mark_reused(session: Session, set_id: int, hashes: Mapping[int, str]) -> None:
    """Record for each photo of `hashes` (photo id to perceptual hash) which earlier return holds the same photo.

    Of several, the earliest. Earlier means uploaded before, and scored by now. Part of a transaction.
    """
    if not hashes:
        return
    candidates = _alike(session, set_id, hashes.values())
    fresh = select(Photo.id, Photo.uploaded_at).where(Photo.id.in_(sorted(hashes)), Photo.reused_from.is_(None))
    for photo_id, uploaded_at in session.execute(fresh).all():
        earlier = [
            (when, other)
            for other, when, likeness in candidates
            if when < uploaded_at and _is_same(hashes[photo_id], likeness)
        ]
        if earlier:
            session.execute(update(Photo).where(Photo.id == photo_id).values(reused_from=min(earlier)[1]))


def _alike(session: Session, set_id: int, hashes: Collection[str]) -> list[tuple[int, datetime, str]]:
    """Set, time of upload and hash of every scored photo of other sets that nearly shares a half with one of these."""
    upper, lower = (set().union(*halves) for halves in zip(*map(near_halves, hashes), strict=True))
    rows = session.execute(
        select(Photo.set_id, Photo.uploaded_at, Photo.likeness).where(
            or_(
                is_one_of(session, two_bands(Photo.likeness_0, Photo.likeness_1), upper),
                is_one_of(session, two_bands(Photo.likeness_2, Photo.likeness_3), lower),
            ),
            Photo.set_id != set_id,
            Photo.status == PhotoStatus.OK,
        )
    )
    return [(other, uploaded_at, likeness) for other, uploaded_at, likeness in rows if likeness is not None]


def _is_same(first: str, second: str) -> bool:
    return differing_bits(first, second) <= ALL_BITS and differing_coarse_bits(first, second) <= COARSE_BITS
