"""What a worker process holds: the model that somebody asks for, and no other."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from core.errors import BrokerUnavailable, DeviceBroken, ModelUnusable
from core.model.artefact import Artefact
from core.policy import Policy
from core.settings import load_settings
from core.testing.fixed_classifier import FixedClassifier
from db import queries, transactions
from db.session import Sessions
from db.transactions import WorkKey
from tests.house import GREEN, House
from tests.house import POLICY as HOUSE_POLICY
from tests.photo_sets import POLICY, register
from tests.unit.core.conftest import make_artefact  # noqa: F401  a fixture
from workers import bootstrap
from workers.backlog import open_shadow
from workers.bootstrap import WorkerResources, make_scoring
from workers.health import Health

MakeArtefact = Callable[..., Artefact]


def served(sessions: Sessions, folder: Path) -> int:
    """The version that a worker with this model would work for."""
    scoring = make_scoring(load_settings(model=str(folder), decode_processes=1, concurrency=1), sessions)
    scoring.close()
    return scoring.model_id


def test_the_first_model_a_database_meets_gives_the_verdicts(sessions: Sessions, make_artefact: MakeArtefact) -> None:  # noqa: F811
    made = make_artefact()
    model_id = served(sessions, made.folder)
    active = queries.active_model(sessions)
    assert active is not None
    assert (active.id, active.identity, active.policy) == (model_id, made.card.identity, made.card.policy)
    assert served(sessions, made.folder) == model_id


def test_a_model_that_nobody_asks_for_ends_its_worker_in_words(sessions: Sessions, make_artefact: MakeArtefact) -> None:  # noqa: F811
    """As when the model on disk was replaced between activation and start."""
    made = make_artefact()
    register(sessions, "first")
    asked = hashlib.sha256(b"first").hexdigest()[:12]
    with pytest.raises(ModelUnusable) as refusal:
        served(sessions, made.folder)
    assert str(refusal.value).startswith(f"{made.folder} holds small (weights {made.card.weights_sha256[:12]})")
    assert f"verdicts are given by first (weights {asked})" in str(refusal.value)
    assert "`walkaround model activate`" in str(refusal.value)
    assert len(queries.model_versions(sessions)) == 1, "nothing was registered on the way"


def test_a_candidate_has_its_worker(sessions: Sessions, make_artefact: MakeArtefact) -> None:  # noqa: F811
    made = make_artefact()
    register(sessions, "first")
    candidate = transactions.begin_shadow(sessions, made.card.identity, Policy(damaged_at=0.9, clear_below=0.1))
    assert served(sessions, made.folder) == candidate
    transactions.end_shadow(sessions, candidate)
    with pytest.raises(ModelUnusable, match="would wait for ever"):
        served(sessions, made.folder)


def test_a_worker_serves_every_policy_over_its_weights(sessions: Sessions, make_artefact: MakeArtefact) -> None:  # noqa: F811
    made = make_artefact()
    served(sessions, made.folder)
    stricter = transactions.register_model(sessions, made.card.identity, POLICY)
    transactions.activate_model(sessions, stricter)
    assert served(sessions, made.folder) == stricter


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def worker_of(house: House, monkeypatch: pytest.MonkeyPatch, *queues: str, model: str = "fixed") -> WorkerResources:
    """What a worker on these queues holds, ready for work."""
    scoring = replace(house.scoring, classifier=FixedClassifier(name=model))
    monkeypatch.setattr(bootstrap, "make_context", lambda settings, publish: house.context)
    monkeypatch.setattr(bootstrap, "make_scoring", lambda settings, sessions: scoring)
    made = WorkerResources(house.context.settings, house.published)
    made.serve(queues)
    assert not made.readiness().healthy, "a probe before the start waits for nothing"
    assert made.progress.health().healthy
    assert made.scoring is scoring
    made.start_taking_work()
    return made


def seconds_pass(worker: WorkerResources, monkeypatch: pytest.MonkeyPatch) -> Health:
    """Its health after eleven minutes of silence."""
    clock = Clock()
    monkeypatch.setattr(worker.progress, "_clock", clock)
    worker.progress.health()
    clock.now += 660
    return worker.progress.health()


def test_a_worker_is_judged_by_its_own_queues_and_model(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three shapes beside work that is none of theirs stay well; each with work of its own that it leaves does not."""
    house.put("1.jpg", GREEN)
    house.ingest()
    house.published.clear()
    classify_only = worker_of(house, monkeypatch, "classify")
    rescore_only = worker_of(house, monkeypatch, "rescore")
    candidate = worker_of(house, monkeypatch, "classify", "rescore", model="second")
    assert not seconds_pass(classify_only, monkeypatch).healthy, "wedged: its own work is due"
    assert seconds_pass(rescore_only, monkeypatch).healthy
    assert seconds_pass(candidate, monkeypatch).healthy

    with house.context.sessions.begin() as session:
        session.execute(text("UPDATE work SET queue = 'rescore'"))
    assert seconds_pass(classify_only, monkeypatch).healthy
    assert not seconds_pass(rescore_only, monkeypatch).healthy

    begun = transactions.begin_shadow(house.context.sessions, FixedClassifier(name="second").identity, HOUSE_POLICY)
    assert open_shadow(house.context, begun) == 1
    with house.context.sessions.begin() as session:
        session.execute(text("DELETE FROM work WHERE model_id <> :candidate"), {"candidate": begun})
    assert seconds_pass(rescore_only, monkeypatch).healthy
    assert not seconds_pass(candidate, monkeypatch).healthy


def test_a_hung_device_is_seen_once_its_leases_expire(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    worker = worker_of(house, monkeypatch, "classify")
    assert transactions.claim(house.context.sessions, work, timedelta(minutes=5), 12) is not None
    assert seconds_pass(worker, monkeypatch).healthy, "somebody is at it"
    transactions.end_leases(house.context.sessions)
    assert not seconds_pass(worker, monkeypatch).healthy


def test_a_worker_of_intake_is_judged_by_its_messages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    worker = worker_of(house, monkeypatch, "intake")
    assert seconds_pass(worker, monkeypatch).healthy, "sets to be scored are none of its business"
    house.published.append((WorkKey(1, 1, 1), "intake"))
    assert not seconds_pass(worker, monkeypatch).healthy


def test_a_worker_is_ready_while_its_servers_answer_and_its_device_works(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = worker_of(house, monkeypatch, "classify")
    assert worker.readiness() == Health(True, "ready")

    def away(queue: str) -> int:
        raise BrokerUnavailable("the broker does not answer")

    monkeypatch.setattr(house.published, "length", away)
    assert worker.readiness() == Health(False, "the broker does not answer")
    worker.end(DeviceBroken("the device is broken"))
    assert worker.readiness() == Health(False, "the device is broken")
