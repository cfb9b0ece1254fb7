import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidKey, SettingsInvalid
from core.keys import KeyLayout, guess_layout, is_accepted, recorded_key, validate_key

SET_KEY = "returns/harbour/HB-204/r1/"


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

    @given(st.text(max_size=40))
    def test_what_is_written_down_can_be_held_by_a_database_and_is_read_by_nobody(self, name: str) -> None:
        recorded = recorded_key(SET_KEY + name, SET_KEY)
        assert recorded.startswith(SET_KEY)
        assert not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", recorded)
        assert len(recorded.encode()) < 2000, "PostgreSQL indexes no more than 2,704 bytes"
        assert is_accepted(recorded) == is_accepted(SET_KEY + name)

    def test_a_name_that_is_not_accepted_can_be_read_by_a_person(self) -> None:
        assert recorded_key(SET_KEY + "a\x00b.jpg", SET_KEY) == SET_KEY + "/a\\x00b.jpg"
        assert recorded_key(SET_KEY + "\ud800.jpg", SET_KEY) == SET_KEY + "/\\ud800.jpg"
        assert recorded_key(SET_KEY + "ö ü.jpg", SET_KEY) == SET_KEY + "ö ü.jpg"
        first, second = (recorded_key(SET_KEY + "x" * 2000 + end, SET_KEY) for end in "ab")
        assert first != second

    def test_what_walkaround_wrote_makes_no_return(self) -> None:
        review = f"reviews/2026-11/{'0' * 64}.json"
        for key in (review, "reports/fleet-2026-11-23.html"):
            assert KeyLayout("{vehicle}/").parse(key) is None
            assert KeyLayout("{vehicle}/{return}/").parse(key) is None
        assert guess_layout([review, "HB-204/1.jpg"]).template == "{vehicle}/"
        assert KeyLayout("{vehicle}/").parse("reviews/1.jpg") is not None


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
