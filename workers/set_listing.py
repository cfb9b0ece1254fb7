"""What one listing of a set says of it: which photos it has, whether they are all, what its manifest promises."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from core.completeness import MANIFEST_MAX_BYTES, Manifest, completeness, parse_manifest
from core.domain import SetRef, StoredObject
from core.errors import InvalidManifest, PhotoMissing, PhotoRefused
from core.object_kinds import MANIFEST_NAME, MARKER_NAME
from db.transactions import SetListing
from workers.context import Context
from workers.listing import content_of

log = structlog.get_logger(__name__)


def read_listing(context: Context, ref: SetRef, objects: Sequence[StoredObject], now: datetime) -> SetListing:
    """What a listing says of a set, once its manifest has been read. Raises what the store raises."""
    content = content_of(ref, objects)
    manifest, note = _read_manifest(context, ref, objects)
    marker = any(entry.key == ref.set_key + MARKER_NAME for entry in objects)
    complete = completeness(content, manifest=manifest, marker=marker, rules=context.rules, now=now, note=note)
    return SetListing(ref, content, complete, manifest)


def _read_manifest(
    context: Context, ref: SetRef, objects: Sequence[StoredObject]
) -> tuple[Manifest | None, str | None]:
    """The set's manifest if it has a good one; else what is wrong with it, in words."""
    entry = next((entry for entry in objects if entry.key == ref.set_key + MANIFEST_NAME), None)
    if entry is None:
        return None, None
    try:
        blob = context.store.read(entry.key, max_bytes=MANIFEST_MAX_BYTES, etag=entry.etag)
        return parse_manifest(blob.data, ref.set_key), None
    except PhotoMissing:  # taken away since the listing
        return None, None
    except (InvalidManifest, PhotoRefused) as error:
        log.warning("manifest_refused", key=entry.key, problem=str(error))
        return None, str(error)
