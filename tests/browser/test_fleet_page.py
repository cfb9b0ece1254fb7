"""The page of a report in a real browser: no request, nothing wider than a phone, words that stand out."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from core.domain import Label
from db.queries.fleet_figures import ReturnBrief
from db.queries.tables import ReportTable
from reports.fleet import Day, FleetReport, by_age, reliability
from reports.fleet_page import FleetPage, Section, write_fleet_page
from reports.view import Standing
from tests.browser.test_report_page import CHROMIUM, contrast

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium")
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)


def fleet_page() -> FleetPage:
    """Every chart filled, every standing, names as long as people make them."""
    days = [
        Day(
            date(2026, 10, 1) + timedelta(days=n),
            {standing: n % (place + 2) for place, standing in enumerate(Standing)},
        )
        for n in range(40)
    ]
    names = ["HB-204", "UNBROKEN" * 6]
    cards = [
        ReturnBrief(n, f"returns/f/{name}/r/", "harbour", name, "2026-11-20-0815", label, 0.9, 1, NOW, "model", "new")
        for n, (name, label) in enumerate(zip(names, (Label.DAMAGED, Label.UNDECIDED), strict=True))
    ]
    scores = [(n / 40, n % 3 > 0) for n in range(41)]
    rows = [("harbour", name, NOW, 0.5) for name in names]
    return FleetPage(
        title="The night's fleet report",
        store="s3://" + "bucket-name" * 12,
        subtitle="all fleets",
        made_at=NOW,
        zone=ZoneInfo("Europe/Riga"),
        fleet=FleetReport(days, by_age([60, 4000, 10**6]), reliability(scores), cards),
        facts=[(standing.value, standing.value, 12_345) for standing in Standing],
        notes=["Scores lie as before."],
        sections=[Section("New damage", cards, "None."), Section("Nothing", [], "None.")],
        tables=[ReportTable("new_damage", "A row is a test.", ("fleet", "vehicle_ref", "returned_at", "score"), rows)],
        photos={},
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("fleet") / "fleet.html"
    write_fleet_page(path, fleet_page(), lambda wanted: [None] * len(wanted))
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(path.as_uri())
        yield page
        browser.close()


asked: list[str] = []
complaints: list[str] = []


def test_it_asks_the_network_for_nothing_and_complains_of_nothing(page: Page) -> None:
    assert [url for url in asked if not url.startswith("data:")] == [page.url]
    assert complaints == []


@pytest.mark.parametrize("width", [768, 1280])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_columns_stand_as_high_as_their_counts(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    columns = page.locator(".column").all()
    assert len(columns) == 40
    heights = [
        column.evaluate("c => [...c.children].reduce((sum, s) => sum + s.getBoundingClientRect().height, 0)")
        for column in columns
    ]
    totals = [day.total for day in fleet_page().fleet.days]
    assert heights[totals.index(max(totals))] == max(heights)
    assert heights[0] == 0


def test_figures_of_the_chart_can_be_read_as_a_table(page: Page) -> None:
    page.get_by_text("As a table").click()
    assert page.locator(".data tbody tr").count() == 40
    assert page.locator(".data tbody tr").first.locator("th").inner_text() == "2026-11-09"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page: Page, scheme: Literal["light", "dark"]) -> None:
    """WCAG 2.2 AA: 4.5 to 1."""
    page.emulate_media(color_scheme=scheme)
    words = "h1, h2, .facts, .totals dt, .totals dd, .soft, .badge, .note, td, th, .rows li, .tick"
    colours = page.evaluate(
        """(words) => [...document.querySelectorAll(words)]
             .map((e) => { let ground = e;
               while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
               return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor]; })""",
        words,
    )
    assert len(colours) > 50
    assert min(contrast(*pair) for pair in colours) >= 4.5
