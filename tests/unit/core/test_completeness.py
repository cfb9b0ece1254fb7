import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.completeness import CompletionRules, Manifest, ManifestEntry, completeness, parse_manifest, returned_at
from core.domain import ClosedBy, StoredObject
from core.errors import InvalidManifest

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RULES = CompletionRules(quiet_period=timedelta(minutes=10), deadline=timedelta(hours=6))
SET_KEY = "returns/harbour/HB-204/r1/"


def photo(name: str, age: timedelta = timedelta(minutes=1), size: int = 10) -> StoredObject:
    return StoredObject(SET_KEY + name, size, f"etag-{name}", NOW - age)


def manifest(*names: str, size: int = 10) -> Manifest:
    return Manifest(tuple(ManifestEntry(key=SET_KEY + name, size=size, sha256="0" * 64) for name in names), "m")


def closed(
    photos: list[StoredObject], *, listed: Manifest | None = None, marker: bool = False, rules: CompletionRules = RULES
) -> ClosedBy | None:
    return completeness(photos, manifest=listed, marker=marker, rules=rules, now=NOW).closed_by


class TestManifest:
    def test_relative_and_whole_keys(self) -> None:
        entries = [
            {"key": "1.jpg", "size": 3, "sha256": "a" * 64},
            {"key": SET_KEY + "2.jpg", "size": 0, "sha256": "b" * 64},
        ]
        data = json.dumps({"photos": entries}).encode()
        read = parse_manifest(data, SET_KEY)
        assert [entry.key for entry in read.entries] == [SET_KEY + "1.jpg", SET_KEY + "2.jpg"]
        assert read.sha256 == hashlib.sha256(data).hexdigest()

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"not json",
            b"[]",
            b'{"photos": {}}',
            b'{"photos": [{"key": "1.jpg"}]}',
            b'{"photos": [{"key": "1.jpg", "size": "3", "sha256": "%s"}]}' % (b"a" * 64),
            b'{"photos": [{"key": "../1.jpg", "size": 3, "sha256": "%s"}]}' % (b"a" * 64),
            b'{"photos": [{"key": "1.jpg", "size": -1, "sha256": "%s"}]}' % (b"a" * 64),
            b"[" * 100_000,
            b" " * 1_000_001,
            b'{"photos": [{"key": "\\ud800"}]}',
        ],
    )
    def test_a_bad_one_is_named_with_the_remedy(self, data: bytes) -> None:
        with pytest.raises(InvalidManifest, match="_manifest.json"):
            parse_manifest(data, SET_KEY)


class TestCompleteness:
    def test_no_photos_no_set(self) -> None:
        assert closed([], marker=True) is None

    def test_manifest_met(self) -> None:
        assert closed([photo("1.jpg"), photo("2.jpg")], listed=manifest("1.jpg")) is ClosedBy.MANIFEST

    def test_manifest_unmet_outweighs_marker_and_quiet(self) -> None:
        old = [photo("1.jpg", timedelta(hours=1))]
        found = completeness(old, manifest=manifest("1.jpg", "2.jpg"), marker=True, rules=RULES, now=NOW)
        assert found.closed_by is None
        assert found.missing == (SET_KEY + "2.jpg",)
        assert found.check_at == NOW + timedelta(hours=5)

    def test_a_photo_of_another_size_is_missing_from_its_manifest(self) -> None:
        assert closed([photo("1.jpg", size=9)], listed=manifest("1.jpg")) is None

    def test_marker(self) -> None:
        assert closed([photo("1.jpg")], marker=True) is ClosedBy.MARKER

    def test_count(self) -> None:
        rules = CompletionRules(RULES.quiet_period, RULES.deadline, expected=2)
        assert closed([photo("1.jpg", timedelta(hours=1))], rules=rules) is None
        assert closed([photo("1.jpg"), photo("2.jpg")], rules=rules) is ClosedBy.COUNT

    def test_quiet_period(self) -> None:
        waiting = completeness([photo("1.jpg")], manifest=None, marker=False, rules=RULES, now=NOW)
        assert (waiting.closed_by, waiting.check_at) == (None, NOW + timedelta(minutes=9))
        assert closed([photo("1.jpg", timedelta(minutes=10))]) is ClosedBy.QUIET

    def test_deadline_closes_what_was_promised_and_never_came(self) -> None:
        found = completeness(
            [photo("1.jpg", timedelta(hours=6))], manifest=manifest("2.jpg"), marker=False, rules=RULES, now=NOW
        )
        assert found.closed_by is ClosedBy.DEADLINE
        assert found.missing == (SET_KEY + "2.jpg",)

    @given(st.permutations([photo("1.jpg"), photo("2.jpg", timedelta(hours=1)), photo("3.jpg", timedelta(minutes=30))]))
    def test_the_order_of_the_listing_does_not_matter(self, photos: list[StoredObject]) -> None:
        found = completeness(photos, manifest=None, marker=False, rules=RULES, now=NOW)
        assert found.check_at == NOW + timedelta(minutes=9)

    def test_the_deadline_counts_from_the_first_photo(self) -> None:
        """Else a phone that sends one photo an hour would keep its return open for ever."""
        trickle = [photo(f"{hours}.jpg", timedelta(hours=hours)) for hours in range(7)]
        assert closed(trickle, listed=manifest("never.jpg")) is ClosedBy.DEADLINE
        assert closed(trickle[:6], listed=manifest("never.jpg")) is None

    def test_companions_are_no_photos_to_count(self) -> None:
        rules = CompletionRules(RULES.quiet_period, RULES.deadline, expected=2)
        with_companions = [photo("1.heic"), photo("1.mov"), photo("1.aae")]
        assert closed(with_companions, rules=rules) is None
        assert closed([*with_companions, photo("2.heic")], rules=rules) is ClosedBy.COUNT


class TestReturnedAt:
    uploaded = NOW

    def test_the_earliest_moment_counts_and_the_camera_knows_best(self) -> None:
        taken = NOW - timedelta(hours=20)
        assert returned_at([(NOW, taken), (NOW - timedelta(hours=1), None)]) == taken

    @pytest.mark.parametrize("off", [timedelta(seconds=1), timedelta(days=-31)])
    def test_a_camera_clock_that_cannot_be_right_is_not_believed(self, off: timedelta) -> None:
        assert returned_at([(NOW, NOW + off)]) == NOW

    def test_without_photos_nobody_knows(self) -> None:
        assert returned_at([]) is None
