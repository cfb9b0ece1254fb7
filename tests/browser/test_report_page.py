"""The report page in a real browser: no request, no error, nothing wider than a phone, and its switches work."""

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from reports.html import write_html
from reports.pictures import Picture
from tests.reports import decided, photo, report_of, sample_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium")


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((240, 320, 3), shade, np.uint8)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    taken = Picture(picture(60), 320, 240, picture(200))
    long = decided(
        "returns/f/" + "UNBROKEN" * 12 + "/r/", photo("a-very-long-file-name-from-a-phone" * 3 + ".jpg", 0.9)
    )
    report = sample_report()
    report = replace(report_of(*report.returns, long), store="s3://" + "bucket-name" * 12)
    write_html(path, report, lambda wanted: [replace(taken, heat=taken.heat if heat else None) for _, heat in wanted])
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


def test_opening_it_asks_the_network_for_nothing_and_says_no_error(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(address)
    page.locator("#all").click()
    for image in page.locator("img").all():  # they load when they come into view
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.naturalWidth") == 320

    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []
    context.close()


@pytest.mark.parametrize("width", [768, 1200])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("#all").click()

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_switch_hides_and_shows_all_heat_maps(page: Page) -> None:
    maps = page.locator(".heat").all()
    assert len(maps) == 5

    for opacity in ("1", "0", "1"):
        for heat in maps:
            expect(heat).to_have_css("opacity", opacity)
        page.get_by_text("Heat maps").click()


def test_pressing_a_photo_takes_its_own_heat_map_away(page: Page) -> None:
    page.locator("label.frame").first.click()

    expect(page.locator(".heat").first).to_have_css("opacity", "0")
    expect(page.locator(".heat").nth(1)).to_have_css("opacity", "1")


def test_filters_and_search_show_what_they_name(page: Page) -> None:
    page.locator("label[for=show-undecided]").click()
    assert page.locator(".return:visible h2").all_inner_texts() == [
        "AP-077 airport · 2026-11-20-0815",
        "AP-052 airport · 2026-11-20-0815",
    ]

    page.locator(".search").fill("077")
    assert page.locator(".return:visible").count() == 1

    page.locator(".search").fill("no such car")
    assert page.locator(".none").is_visible()


def test_without_script_the_page_reads_and_filters_the_same(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)

    page.locator("label[for=show-clear]").click()

    assert page.locator(".return:visible").count() == 1
    assert not page.locator(".search").is_visible()
    page.locator(".return:visible summary").click()
    assert page.locator(".return:visible .photo").count() == 3
    context.close()


def test_it_can_be_worked_by_keyboard(page: Page) -> None:
    page.locator("#show-all").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#show-damaged").is_checked()

    page.locator("#heat").focus()
    page.keyboard.press("Space")
    assert not page.locator("#heat").is_checked()


def test_printing_opens_every_return(page: Page) -> None:
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert page.locator(".return:not([open])").count() == 0
    assert not page.locator(".controls").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page: Page, scheme: Literal["light", "dark"]) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for the colours of words on cards and tints."""
    page.emulate_media(color_scheme=scheme)
    colours = page.evaluate(
        """() => [...document.querySelectorAll('h2, .why, .badge, .count, .caption *, .totals dt, .facts, .filters *')]
             .map((e) => { let ground = e;
               while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
               return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor]; })"""
    )

    assert len(colours) > 50
    assert min(contrast(*pair) for pair in colours) >= 4.5


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG defines it."""
    channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_file_is_one_file(address: str) -> None:
    folder = Path(address.removeprefix("file://")).parent
    assert [entry.name for entry in folder.iterdir()] == ["report.html"]
