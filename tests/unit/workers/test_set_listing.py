"""What one listing of a set shows: its content, whether it is all, and a manifest if it has a good one."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from core.domain import Blob, ClosedBy
from core.errors import PhotoRefused, Refusal
from core.testing.memory_store import MemoryPhotoStore
from db.transactions import SetListing
from tests.house import GREEN, LONG_AGO, SET, House
from workers import pipeline
from workers.set_listing import read_listing


def arrived(house: House) -> SetListing:
    ref = pipeline.set_of(house.context, SET)
    return read_listing(house.context, ref, list(house.context.store.list(SET)), datetime.now(UTC))


def test_only_content_counts(house: House) -> None:
    for name in ("1.png", "_2.png", "1.aae", "_COMPLETE", ".DS_Store", "sub/"):
        house.put(name, b"" if name.endswith("/") else GREEN)
    seen = arrived(house)
    assert [photo.key.removeprefix(SET) for photo in seen.photos] == ["1.aae", "1.png", "_2.png"]
    assert (seen.completeness.closed_by, seen.manifest) == (ClosedBy.MARKER, None)


def test_a_control_file_of_a_folder_within_is_none_of_the_return(house: House) -> None:
    house.put("1.png", GREEN)
    house.put("sub/_COMPLETE", b"")
    assert arrived(house).completeness.closed_by is ClosedBy.QUIET


def test_a_manifest_is_read(house: House) -> None:
    house.put("1.png", GREEN)
    entry = {"key": "1.png", "size": len(GREEN), "sha256": "0" * 64}
    house.put("_manifest.json", json.dumps({"photos": [entry]}).encode())
    seen = arrived(house)
    assert seen.manifest is not None
    assert (seen.completeness.closed_by, len(seen.manifest.entries)) == (ClosedBy.MANIFEST, 1)


def test_a_bad_manifest_is_noted_and_stops_nothing(house: House) -> None:
    house.put("1.png", GREEN)
    house.put("_manifest.json", b"[]")
    seen = arrived(house)
    assert seen.manifest is None
    assert "_manifest.json is not a manifest" in (seen.completeness.note or "")


class ArchivedManifest(MemoryPhotoStore):
    """A store that keeps the manifest in an archive."""

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        raise PhotoRefused(Refusal.ARCHIVED, key)


def test_a_manifest_that_the_store_refuses_is_noted(house: House) -> None:
    store = ArchivedManifest(now=lambda: LONG_AGO)
    house.context = replace(house.context, store=store)
    store.write(SET + "1.png", GREEN)
    store.write(SET + "_manifest.json", b"{}")
    assert "archive" in (arrived(house).completeness.note or "")
