import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.completeness import CompletionRules, Manifest, ManifestEntry, completeness, parse_manifest
from core.domain import ClosedBy, StoredObject
from core.errors import InvalidKey, InvalidManifest, SettingsInvalid
from core.keys import KeyLayout, guess_layout, is_photo_key, validate_key

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


class TestKeys:
    @pytest.mark.parametrize(
        "key", ["returns/a/b/c/1.jpg", "ö/ключ/写真.jpg", "a b/c+d%2F.jpg", "x" * 1024, "folder/", "..hidden/a..b.jpg"]
    )
    def test_plain_names_are_accepted(self, key: str) -> None:
        validate_key(key)

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/etc/passwd",
            "a/../b",
            "..",
            "a/./b",
            "a//b",
            "a\x00b",
            "a\nb",
            "a\x7fb",
            "x" * 1025,
            "é" * 513,
            "\ud800",
        ],
    )
    def test_dangerous_names_are_refused(self, key: str) -> None:
        with pytest.raises(InvalidKey):
            validate_key(key)

    @given(st.text())
    def test_whatever_is_accepted_can_be_written_and_stays_below_its_folder(self, key: str) -> None:
        try:
            validate_key(key)
        except InvalidKey:
            return
        assert key.encode().decode() == key
        assert ".." not in key.split("/")
        assert not key.startswith("/")

    @pytest.mark.parametrize("name", ["_manifest.json", "_COMPLETE", ".DS_Store", "Thumbs.db", "sub/", "sub/._1.jpg"])
    def test_control_files_and_litter_are_no_photos(self, name: str) -> None:
        assert not is_photo_key(SET_KEY + name)

    def test_what_walkaround_wrote_is_no_photo_and_makes_no_return(self) -> None:
        review = f"reviews/2026-11/{'0' * 64}.json"
        for key in (review, "reports/fleet-2026-11-23.html"):
            assert not is_photo_key(key)
            assert KeyLayout("{vehicle}/").parse(key) is None
            assert KeyLayout("{vehicle}/{return}/").parse(key) is None
        assert guess_layout([review, "HB-204/1.jpg"]).template == "{vehicle}/"
        assert KeyLayout("{vehicle}/").parse("reviews/1.jpg") is not None

    def test_any_other_object_is_meant_to_be_a_photo(self) -> None:
        assert is_photo_key(SET_KEY + "notes.txt")


class TestLayout:
    def test_standard_layout(self) -> None:
        ref = KeyLayout().parse("returns/harbour/HB-204/2026-11-20/front/01.jpg")
        assert ref is not None
        assert (ref.fleet, ref.vehicle, ref.return_ref) == ("harbour", "HB-204", "2026-11-20")
        assert ref.set_key == "returns/harbour/HB-204/2026-11-20/"

    @pytest.mark.parametrize("key", ["returns/harbour/01.jpg", "elsewhere/a/b/c/1.jpg", "returns/a/../c/1.jpg"])
    def test_what_does_not_fit_lies_in_no_set(self, key: str) -> None:
        assert KeyLayout().parse(key) is None

    def test_template_orders_folders_as_it_likes(self) -> None:
        ref = KeyLayout("in/{vehicle}/{fleet}-{return}/").parse("in/V1/north-7/a.jpg")
        assert ref is not None
        assert (ref.fleet, ref.vehicle, ref.return_ref) == ("north", "V1", "7")

    @pytest.mark.parametrize("template", ["", "a/{vehicle}", "a/", "{car}/", "{vehicle}/{vehicle}/", "{vehicle/"])
    def test_a_template_that_cannot_work_is_refused(self, template: str) -> None:
        with pytest.raises(SettingsInvalid):
            KeyLayout(template)

    @pytest.mark.parametrize(
        ("keys", "template"),
        [
            (["returns/f/v/r/1.jpg"], "returns/{fleet}/{vehicle}/{return}/"),
            (["R001/1.jpg", "R002/1.jpg"], "{vehicle}/"),
            (["V1/r1/1.jpg", "V1/r2/1.jpg", "readme.txt"], "{vehicle}/{return}/"),
            (["f/V1/r1/1.jpg"], "{fleet}/{vehicle}/{return}/"),
            (["1.jpg", "2.jpg"], "."),
            ([], "{vehicle}/"),
        ],
    )
    def test_a_folder_nobody_described_is_guessed(self, keys: list[str], template: str) -> None:
        assert guess_layout(keys).template == template

    def test_photos_side_by_side_are_one_set(self) -> None:
        ref = KeyLayout(".", single_vehicle="V9").parse("1.jpg")
        assert ref is not None
        assert (ref.vehicle, ref.set_key) == ("V9", "")


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
