"""The night's report, on both databases: left in any store, never taken for a photo, never in the way of the scan."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from core.completeness import CompletionRules
from core.domain import Label, PhotoStore
from core.errors import StoreRefused, StoreUnavailable
from core.keys import KeyLayout
from core.review_line import ReviewLine, parse_review
from core.settings import load_settings
from core.storage.address import open_store
from core.storage.options import S3Options
from core.testing.fixed_classifier import FixedClassifier
from core.testing.inline_loader import InlinePhotoLoader
from core.testing.memory_store import MemoryPhotoStore
from db import queries, transactions
from db.session import Sessions
from tests.house import GREEN, LONG_AGO, POLICY, RED, House
from tests.integration.workers.test_outgoing import SECRET, Receiver
from tests.photo_sets import SentMessages
from tests.servers import S3Server
from workers import pipeline
from workers.audit import audit
from workers.context import Context, Scoring

LAYOUTS = ["returns/{fleet}/{vehicle}/{return}/", "{vehicle}/"]


@pytest.fixture(params=LAYOUTS)
def house(sessions: Sessions, request: pytest.FixtureRequest) -> Iterator[House]:
    store = MemoryPhotoStore(now=lambda: LONG_AGO)
    classifier = FixedClassifier()
    model_id = transactions.register_model(sessions, classifier.identity, POLICY)
    transactions.activate_model(sessions, model_id)
    published = SentMessages()
    settings = load_settings(timezone="Europe/Riga", scan_at=time(2, 30), decode_processes=1)
    context = Context(
        settings,
        store,
        KeyLayout(request.param),
        CompletionRules(),
        sessions,
        published,
    )
    with ThreadPoolExecutor(2) as fetchers:
        yield House(context, Scoring(model_id, classifier, POLICY, InlinePhotoLoader(), fetchers), store, published)


def key(house: House, vehicle: str, name: str) -> str:
    return house.context.layout.template.format(**{"fleet": "harbour", "vehicle": vehicle, "return": "r1"}) + name


def a_night(house: House) -> dict[str, object]:
    """Two returns come in unnoticed; the nightly scan finds them; the report as JSON."""
    house.put("1.jpg", RED, key(house, "DENT", ""))
    house.put("1.jpg", GREEN, key(house, "FINE", ""))
    pipeline.scan(house.context)
    house.answer()
    assert pipeline.scan_if_due(house.context) is not None
    (document,) = [entry.key for entry in house.store.list("reports/") if entry.key.endswith(".json")]
    found: dict[str, object] = json.loads(house.store.read(document, max_bytes=10**6).data)
    return found


@pytest.fixture(autouse=True)
def _tonight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every night's scan is due, whatever was made already."""
    monkeypatch.setattr(pipeline, "scan_is_due", lambda *_: True)


def test_the_night_is_told_and_its_page_needs_nothing_else(house: House) -> None:
    night = a_night(house)
    assert night["kind"] == "walkaround.fleet_report"
    assert night["scan"] == {
        "objects": 2,
        "sets": 2,
        "missing": 0,
        "repaired": 0,
        "failed": 0,
        "judged_again": 0,
        "strays": 0,
        "rescoring": 0,
        "reviews_written": 0,
        "reviews_unwritten": 0,
    }
    page = house.store.read(str(night["page"]), max_bytes=10**7).data.decode()
    assert "The night&#39;s fleet report" in page
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|https?:""", page)
    assert re.fullmatch(r"reports/fleet-\d{4}-\d\d-\d\d\.html", str(night["page"]))


def test_reports_are_never_taken_for_photos(house: House) -> None:
    a_night(house)
    again = pipeline.scan_if_due(house.context)
    assert again is not None
    assert (again.sets, again.strays, again.repaired, again.missing) == (2, 0, 0, 0)
    result = audit(house.store, house.context.layout, house.context.sessions, datetime.now(UTC), timedelta(hours=12))
    assert (result.passed, result.sets, result.in_verdict) == (True, 2, 2)


@pytest.mark.parametrize("vehicle", ["reports", "reviews"])
def test_a_vehicle_of_such_a_name_is_a_vehicle(house: House, vehicle: str) -> None:
    house.put("1.jpg", GREEN, key(house, vehicle, ""))
    a_night(house)
    review(house, key(house, "FINE", ""))
    pipeline.scan_if_due(house.context)
    assert key(house, vehicle, "") in house.labels()


def review(house: House, set_key: str, name: str = "k") -> None:
    """Somebody decides, and the object is not written."""
    line = ReviewLine(key=name, set_key=set_key, label=Label.DAMAGED, reason_code="dent", reviewer="ana")
    assert transactions.import_reviews(house.context.sessions, house.store.name, [line], datetime.now(UTC)) == [True]


def test_reviews_without_an_object_get_one(house: House) -> None:
    a_night(house)
    review(house, key(house, "FINE", ""))
    review(house, key(house, "DENT", ""), "another")
    for written in (2, 0):
        night = pipeline.scan_if_due(house.context)
        assert night is not None
        assert (night.reviews_written, night.reviews_unwritten, night.strays, night.sets) == (written, 0, 0, 2)
        (document,) = [entry.key for entry in house.store.list("reports/") if entry.key.endswith(".json")]
        assert json.loads(house.store.read(document, max_bytes=10**6).data)["scan"]["reviews_written"] == written
    stored = [house.store.read(entry.key, max_bytes=10**4).data for entry in house.store.list("reviews/")]
    assert sorted(map(parse_review, stored), key=repr) == sorted(
        queries.review_lines(house.context.sessions, house.store.name), key=repr
    )
    assert house.audit().passed


@pytest.mark.parametrize("step", ["list", "create"])
def test_a_store_that_takes_no_reviews_fails_no_scan(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    """And the report says that they are in the database alone."""
    a_night(house)
    review(house, key(house, "FINE", ""))
    whole = getattr(house.store, step)

    def away(wanted: str, *arguments: object, **named: object) -> object:
        if wanted.startswith("reviews/"):
            raise StoreUnavailable("the store is away")
        return whole(wanted, *arguments, **named)

    monkeypatch.setattr(house.store, step, away)
    night = pipeline.scan_if_due(house.context)
    assert night is not None
    assert (night.reviews_written, night.reviews_unwritten) == (0, 1)
    assert "the store is away" in "".join(capsys.readouterr())
    (page,) = [entry.key for entry in house.store.list("reports/") if entry.key.endswith(".html")]
    assert "1 reviews are in the database alone" in house.store.read(page, max_bytes=10**7).data.decode()


class FullStore(MemoryPhotoStore):
    """Takes nothing new."""

    def write(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> NoReturn:
        raise StoreRefused(f"{key}: no permission to write")


def test_a_store_that_refuses_the_report_fails_no_scan(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    context = replace(house.context, store=FullStore())
    assert pipeline.scan_if_due(context) is not None
    assert "nightly_report_failed" in "".join(capsys.readouterr())


def test_whoever_asked_is_told_and_can_check_it(house: House) -> None:
    receiver = Receiver()
    settings = house.context.settings.model_copy(
        update={"report_webhook_url": SecretStr(receiver.url), "report_webhook_secret": SecretStr(SECRET)}
    )
    try:
        assert pipeline.scan_if_due(replace(house.context, settings=settings)) is not None
        ((headers, body),) = receiver.told
        assert Webhook(SECRET).verify(body, headers)["page"].startswith("reports/fleet-")
    finally:
        receiver.close()


def test_a_report_can_go_to_a_place_of_its_own(house: House, tmp_path: Path) -> None:
    settings = house.context.settings.model_copy(update={"reports": str(tmp_path / "elsewhere")})
    assert pipeline.scan_if_due(replace(house.context, settings=settings)) is not None
    assert sorted(path.suffix for path in (tmp_path / "elsewhere" / "reports").iterdir()) == [".html", ".json"]
    assert list(house.store.list("reports/")) == []


def test_reports_lie_in_a_bucket_as_in_a_folder(s3_server: S3Server, tmp_path: Path) -> None:
    """The door that reports go through, by one contract: whole, replaced, with their type."""
    s3_server.s3().create_bucket(Bucket="nightly-reports")
    stores: list[PhotoStore] = [
        open_store("s3://nightly-reports", s3_server.options),
        open_store(str(tmp_path), S3Options()),
        MemoryPhotoStore(),
    ]
    for store in stores:
        for text in (b"first", b"second"):
            store.write("reports/fleet-2026-11-23.html", text, content_type="text/html; charset=utf-8")
        assert [entry.key for entry in store.list("reports/")] == ["reports/fleet-2026-11-23.html"]
        assert store.read("reports/fleet-2026-11-23.html", max_bytes=99).data == b"second"
