"""The page: self-contained, escaped, whole or not at all, and honest about what it leaves out."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from core.domain import PhotoStatus
from reports.html import MAX_PICTURES, html, write_html
from reports.page import RenderThumbnails
from reports.pictures import Picture
from reports.view import PhotoView, Report
from tests.reports import decided, photo, report_of, sample_report

PICTURE = Picture(b"jpeg", 320, 240)


class Camera:
    """Gives every photo the same picture, and remembers which were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    def __call__(self, wanted: Sequence[tuple[PhotoView, bool]]) -> list[Picture]:
        self.asked += [(found.key, with_heat) for found, with_heat in wanted]
        return [replace(PICTURE, heat=b"heat" if with_heat else None) for _, with_heat in wanted]


class Tags(HTMLParser):
    """All start tags with their attributes; fails on a tag that is closed and was never opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "input", "img", "path"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self._open.pop() == tag


def page(report: Report, camera: RenderThumbnails | None = None, max_pictures: int = MAX_PICTURES) -> str:
    return "".join(html(report, camera or Camera(), max_pictures=max_pictures))


def test_nothing_is_loaded_from_elsewhere() -> None:
    text = page(sample_report())

    addresses = [
        value for _, attributes in Tags(text).tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert addresses
    assert all(address and address.startswith("data:") for address in addresses)
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text


def test_every_return_stands_with_its_verdict_and_reason_and_every_picture_with_words() -> None:
    text = page(sample_report())
    tags = Tags(text).tags

    classes = [attributes["class"] for tag, attributes in tags if tag == "details"]
    assert classes == [f"return {found.standing.value}" for found in sample_report().returns]
    assert "2 of 4 photos show damage: most clearly 02.jpg at 97\u00a0%" in text
    alts = [
        attributes["alt"] for tag, attributes in tags if tag == "img" and "heat" not in (attributes.get("class") or "")
    ]
    assert all(alts)
    assert "HB-204, 02.jpg: 97\u00a0% damage" in alts


def test_a_heat_map_lies_over_the_photos_that_may_show_damage_and_no_other() -> None:
    camera = Camera()
    page(sample_report(), camera=camera)

    hot = {key for key, with_heat in camera.asked if with_heat}
    assert hot == {
        "returns/harbour/HB-204/2026-11-20-0815/02.jpg",
        "returns/harbour/HB-204/2026-11-20-0815/03.jpg",
        "returns/harbour/HB-311/2026-11-20-0815/01.jpg",
        "returns/airport/AP-077/2026-11-20-0815/01.jpg",
    }


def test_a_quarantined_file_is_never_opened_and_its_reason_is_shown() -> None:
    camera = Camera()
    text = page(sample_report(), camera=camera)

    quarantined = [p.key for r in sample_report().returns for p in r.photos if p.status is PhotoStatus.QUARANTINED]
    assert len(quarantined) == 2
    assert not {key for key, _ in camera.asked} & set(quarantined)
    assert "a part of the file is missing; upload it again" in text


def test_a_photo_that_cannot_be_had_gets_a_placeholder() -> None:
    text = page(sample_report(), camera=lambda wanted: [None] * len(wanted))

    assert "no picture" in text
    assert not [tag for tag, _ in Tags(text).tags if tag == "img"]


def test_over_the_cap_the_urgent_returns_keep_their_pictures_and_the_page_says_so() -> None:
    camera = Camera()
    text = page(sample_report(), camera=camera, max_pictures=5)

    assert "Pictures of 5 of 14 photos" in text
    assert [key.split("/")[2] for key, _ in camera.asked] == ["HB-311"] * 2 + ["HB-204"] * 3
    assert text.count("HB-204, ") == 3
    assert len(re.findall(r"<span( title=.*)?>0[1-4]\.jpg", text)) == sample_report().totals.photos


def test_under_the_cap_nothing_is_said_of_it() -> None:
    assert "Pictures of" not in page(sample_report())


def test_names_from_the_store_are_text_and_never_markup() -> None:
    evil = decided('returns/<i>/"><script>alert(1)<script>/r/', photo("<img src=x onerror=alert(1)>.jpg", 0.9))
    text = page(replace(report_of(evil), store="<b>bucket</b>"))

    assert [tag for tag, _ in Tags(text).tags if tag == "script"] == ["script"]
    assert not [tag for tag, attributes in Tags(text).tags if "onerror" in attributes]
    assert "<b>bucket" not in text
    assert "<img src=x" not in text


def test_pictures_are_taken_one_return_at_a_time() -> None:
    camera = Camera()
    pieces = html(sample_report(), camera)
    while not camera.asked:
        next(pieces)

    assert {key.split("/")[2] for key, _ in camera.asked} == {"HB-311"}


def test_the_folder_that_a_page_was_made_from_stays_private() -> None:
    text = page(replace(sample_report(), store="/home/kim/cars/returns"))

    assert "<title>Return inspection: cars/returns</title>" in text
    assert "/home" not in text


def test_a_page_of_no_returns_says_so(tmp_path: Path) -> None:
    write_html(tmp_path / "report.html", report_of(), Camera())

    assert "No returns to show." in (tmp_path / "report.html").read_text("utf-8")
