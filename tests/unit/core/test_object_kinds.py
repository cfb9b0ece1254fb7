"""What is left out of a return is named by a rule; every other object is its content."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.object_kinds import ObjectKind, companions, is_own_key, kind_of, litter_rule

SET_KEY = "returns/harbour/HB-204/r1/"
PICTURES = (".jpg", ".JPG", ".png", ".webp", ".HEIC", ".jpeg")


@pytest.mark.parametrize(
    "name",
    [
        "_MG_0002.JPG",  # Canon, AdobeRGB
        "_DSC0001.JPG",  # Nikon and Sony, AdobeRGB
        "__1.jpg",
        ".hidden.jpg",
        ".1.HEIC",
        "~1.jpg",
        "$1.jpg",
        "_manifest.json.jpg",
        "_COMPLETE.jpg",
        "my_COMPLETE",
        "_complete.png",
        "thumbs.db.jpg",
        "sub/_1.png",
        "_hidden/1.jpg",
        ".hidden/1.jpg",
        "_$folder$.jpg",
        "notes.txt",
        "photo",
    ],
)
def test_whatever_no_rule_names_is_content(name: str) -> None:
    assert kind_of(SET_KEY + name, 10) is ObjectKind.CONTENT
    assert kind_of(SET_KEY + name, 0) is ObjectKind.CONTENT


@given(st.text("aA1._-~$@# ", min_size=1, max_size=12), st.sampled_from(PICTURES))
def test_a_picture_is_content_whatever_its_name(name: str, suffix: str) -> None:
    key = SET_KEY + name + suffix
    rule = litter_rule(key, 10)
    assert rule is None or PurePosixPath(key).name.startswith("._"), "macOS alone has a rule for names of pictures"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (".DS_Store", "macOS"),
        ("._IMG_1.JPG", "macOS"),
        ("__MACOSX/r1/IMG_1.JPG", "macOS"),
        ("Icon\r", "macOS"),
        (".Trashes/1.jpg", "macOS"),
        ("Thumbs.db", "Windows"),
        ("desktop.ini", "Windows"),
        ("$RECYCLE.BIN/1.jpg", "Windows"),
        (".directory", "Linux"),
        (".Trash-1000/files/1.jpg", "Linux"),
        (".nomedia", "Android"),
        (".thumbnails/1.jpg", "Android"),
        (".trashed-1700000000-IMG_1.jpg", "Android"),
        ("@eaDir/IMG_1.JPG/SYNOPHOTO_THUMB_XL.jpg", "network storage"),
        (".IMG_1.jpg.a8Xq1z", "unfinished transfer"),
        ("~$protocol.docx", "office programs"),
    ],
)
def test_what_operating_systems_leave_is_litter_by_rule(name: str, rule: str) -> None:
    assert litter_rule(SET_KEY + name, 10) == rule
    assert kind_of(SET_KEY + name, 10) is ObjectKind.LITTER


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (SET_KEY, "folder marker"),
        (SET_KEY + "sub/", "folder marker"),
        ("returns/harbour/HB-204_$folder$", "Hadoop"),
        (SET_KEY + "_SUCCESS", "Hadoop"),
    ],
)
def test_markers_are_litter_while_they_are_empty(key: str, rule: str) -> None:
    assert litter_rule(key, 0) == rule
    assert kind_of(key, 1) is ObjectKind.CONTENT


def test_control_files_have_whole_names() -> None:
    assert kind_of(SET_KEY + "_manifest.json", 10) is ObjectKind.CONTROL
    assert kind_of(SET_KEY + "_COMPLETE", 0) is ObjectKind.CONTROL


def test_what_walkaround_wrote_is_its_own() -> None:
    for key in (f"reviews/2026-11/{'0' * 64}.json", "reports/fleet-2026-11-23.html"):
        assert is_own_key(key)
        assert kind_of(key, 10) is ObjectKind.OWN
    assert kind_of("reviews/1.jpg", 10) is ObjectKind.CONTENT
    assert kind_of("reports/1.jpg", 10) is ObjectKind.CONTENT


class TestCompanions:
    @pytest.mark.parametrize(
        "name", ["IMG_1.AAE", "IMG_1.xmp", "notes.txt", "protocol.PDF", "data.json", "1.jpg.md5", ".env", ".hidden"]
    )
    def test_edits_and_documents_belong_to_photos(self, name: str) -> None:
        assert companions([SET_KEY + name, SET_KEY + "2.jpg"]) == {SET_KEY + name}

    @pytest.mark.parametrize(
        ("video", "picture"),
        [
            ("IMG_1.MOV", "IMG_1.HEIC"),
            ("img_1.mov", "IMG_1.JPG"),
            ("IMG_1.HEIC.MOV", "IMG_1.HEIC"),
            ("IMG_1.mp4", "IMG_1.jpeg"),
            ("PXL_1.MP", "PXL_1.MP.jpg"),
        ],
    )
    def test_a_video_beside_its_picture_does_too(self, video: str, picture: str) -> None:
        assert companions([SET_KEY + video, SET_KEY + picture]) == {SET_KEY + video}

    @pytest.mark.parametrize(
        ("video", "other"),
        [
            ("walk.MOV", "1.jpg"),
            ("1.mov", "sub/1.jpg"),
            ("1.mov", "1.txt"),
            ("1.mov", "1.mp4"),
            ("10.mov", "1.jpg"),
        ],
    )
    def test_a_video_alone_does_not(self, video: str, other: str) -> None:
        assert SET_KEY + video not in companions([SET_KEY + video, SET_KEY + other])

    @pytest.mark.parametrize(
        "name", ["1.jpg", "_1.JPG", "1.heic", "1.gif", "1.tiff", "1.dng", "1.svg", ".1.jpg", "1", "1.zip", "1.bin"]
    )
    def test_what_may_be_a_picture_is_none(self, name: str) -> None:
        assert companions([SET_KEY + name, SET_KEY + "2.jpg"]) == frozenset()
