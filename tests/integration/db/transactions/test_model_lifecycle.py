"""Model versions are registered once and one of them is active, on both databases."""

from sqlalchemy import text

from core.domain import ModelIdentity, ModelState
from core.policy import Policy
from db import queries
from db.session import Sessions
from db.transactions import (
    activate_first_model,
    activate_model,
    register_model,
)
from tests.photo_sets import (
    POLICY,
    register,
    set_ref,
)

REF = set_ref()


def test_registering_is_idempotent_and_keeps_the_state(sessions: Sessions) -> None:
    first = register(sessions, state=ModelState.CANDIDATE)
    assert register(sessions, state=ModelState.ACTIVE) == first
    assert queries.active_model(sessions) is None
    assert register(sessions, "other") != first


def test_another_policy_is_another_version(sessions: Sessions) -> None:
    identity = ModelIdentity("m", "a" * 64, "b" * 64)
    first = register_model(sessions, identity, POLICY)
    assert register_model(sessions, identity, Policy(damaged_at=0.9, clear_below=0.5)) != first


def test_one_version_is_active_at_a_time(sessions: Sessions) -> None:
    first, second = register(sessions, "first"), register(sessions, "second", ModelState.CANDIDATE)
    assert not activate_first_model(sessions, second)
    activate_model(sessions, second)
    activate_model(sessions, second)
    active = queries.active_model(sessions)
    assert active is not None
    assert (active.id, active.identity.name, active.policy) == (second, "second", POLICY)
    with sessions() as session:
        states = dict(session.execute(text("SELECT id, state FROM model_version")).tuples().all())
    assert states == {first: "retired", second: "active"}


def test_the_first_model_of_a_database_can_be_made_active(sessions: Sessions) -> None:
    only = register(sessions, state=ModelState.CANDIDATE)
    assert activate_first_model(sessions, only)
    assert not activate_first_model(sessions, only)
