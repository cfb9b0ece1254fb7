"""Every page at a phone's width, with names as long as people make them: nothing scrolls sideways, nothing is cut."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from core.domain import Label, ModelIdentity, ModelState, PhotoStatus, Score
from core.model.artefact import open_artefact
from core.settings import SHIPPED_MODEL
from core.training.dataset import Sample
from core.training.evaluation import evaluate
from core.training.evaluation_page import render_page
from db.queries import ComparedSet, Comparison, PhotoReport, VersionRow
from reports.comparison import ComparisonReport, write_comparison
from reports.fleet_page import write_fleet_page
from reports.html import write_html
from reports.pictures import Picture
from tests.browser.test_fleet_page import fleet_page
from tests.browser.test_report_page import CHROMIUM, picture
from tests.reports import MADE_AT, POLICY, decided, photo, report_of, sample_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium")
LONG = "UNBROKEN" * 12
TAKEN = Picture(picture(60), 320, 240, picture(200))


def write_report(path: Path) -> None:
    report = sample_report()
    long = decided(f"returns/f/{LONG}/r/", photo(LONG + ".jpg", 0.9))
    write_html(path, report_of(*report.returns, long), lambda wanted: [TAKEN] * len(wanted))


def write_fleet(path: Path) -> None:
    write_fleet_page(path, fleet_page(), lambda wanted: [None] * len(wanted))


def write_compared(path: Path) -> None:
    first, second = (
        VersionRow(number, ModelIdentity(LONG, "a" * 64, "b" * 64), POLICY, state, MADE_AT, None, 9, 0)
        for number, state in enumerate((ModelState.ACTIVE, ModelState.CANDIDATE), start=1)
    )
    pairs = {(one, other): 123_456 for one in Label for other in Label}
    counts = Comparison(pairs, 123_456, 123_456, 9, 5, 4, 123_456, 0.01, 0.5)
    changed = ComparedSet(1, "r/", LONG, LONG, LONG, Label.CLEAR, 0.1, {}, Label.UNDECIDED, 0.5, {}, Label.DAMAGED)
    said = PhotoReport(LONG + ".jpg", "e", PhotoStatus.OK, None, 0.4, None, 640, 480)
    write_comparison(
        path,
        ComparisonReport("s3://" + "bucket-name" * 12, MADE_AT, first, second, counts, [changed] * 101),
        lambda set_id, model_id: [said],
        lambda wanted: [TAKEN] * len(wanted),
    )


def write_evaluation(path: Path) -> None:
    samples = []
    for number in range(8):
        file = path.with_name(f"{number}.jpg")
        Image.new("RGB", (60, 40), (30 * number, 80, 90)).save(file)
        samples.append(Sample(file, LONG + file.name, number % 2 == 0, "test", f"set{number // 2}", source=LONG[:32]))
    probability = np.linspace(0.9, 0.1, len(samples))
    scores = [Score(float(p), 0.0, np.zeros((7, 7), np.float32)) for p in probability]
    card = open_artefact(SHIPPED_MODEL).card
    path.write_text(render_page(evaluate(card, samples, probability, sets=True), scores), encoding="utf-8")


@pytest.fixture(scope="module", params=[write_report, write_fleet, write_compared, write_evaluation])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    write: Callable[[Path], None] = request.param
    path = tmp_path_factory.mktemp("phone") / "page.html"
    write(path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
        # What is out of sight is laid out too, or it could be of any width.
        page.add_style_tag(content=".return { content-visibility: visible !important; }")
        yield page
        browser.close()


@pytest.mark.parametrize("width", [360, 390])
def test_nothing_scrolls_sideways_and_nothing_is_cut(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
             .filter((e) => !e.closest('.scroll, .plot, svg') && (e.getBoundingClientRect().right > innerWidth
               || e.clientWidth > 0 && e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === 'visible'))
             .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert beyond == []  # nor leaves its own box, over its neighbour


def test_no_word_is_too_small_to_read(page: Page) -> None:
    """Pictures that scale (SVG) have sizes of their own."""
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('body *:not(svg *)')]
             .filter((e) => [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()))
             .map((e) => parseFloat(getComputedStyle(e).fontSize))"""
    )
    assert len(sizes) > 20
    assert min(sizes) >= 12
