"""What a worker process holds: the model that somebody asks for, and no other."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from core.domain import ModelIdentity
from core.errors import ModelUnusable
from core.model.artefact import Artefact
from core.policy import Policy
from core.settings import load_settings
from db import queries, transactions
from db.session import Sessions
from tests.photo_sets import POLICY, register
from tests.unit.core.conftest import make_artefact  # noqa: F401  a fixture
from workers.bootstrap import make_scoring

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


def test_models_are_the_same_by_what_they_compute() -> None:
    first = ModelIdentity("first", "a" * 64, "b" * 64)
    assert first.scores_as(ModelIdentity("renamed", "a" * 64, "b" * 64))
    assert not first.scores_as(ModelIdentity("first", "c" * 64, "b" * 64))
    assert not first.scores_as(ModelIdentity("first", "a" * 64, "c" * 64))
