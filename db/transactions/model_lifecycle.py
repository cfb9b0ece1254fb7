"""Model versions: registered once, one of them active."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain import ModelIdentity, ModelState
from core.errors import PromotionRefused
from core.policy import Policy
from db.dialect import database_now, insert_for
from db.models import ModelVersion
from db.session import transaction


@transaction
def register_model(
    session: Session,
    identity: ModelIdentity,
    policy: Policy,
    state: ModelState = ModelState.CANDIDATE,
) -> int:
    """The id of this model version, stored as `state` if it is new; one already known keeps its state."""
    return _register(session, identity, policy, state)


def _register(session: Session, identity: ModelIdentity, policy: Policy, state: ModelState) -> int:
    unique = {
        "weights_sha256": identity.weights_sha256,
        "preprocess_sha256": identity.preprocess_sha256,
        "policy_sha256": policy.sha256,
    }
    statement = select(ModelVersion.id).filter_by(**unique)
    known = session.scalar(statement)
    if known is not None:
        return known
    new = {
        **unique,
        "name": identity.name,
        "policy": policy.model_dump(mode="json"),
        "state": ModelState.RETIRED if state is ModelState.RETIRED else ModelState.CANDIDATE,
        "created_at": session.scalar(select(database_now())),
    }
    session.execute(insert_for(session, ModelVersion).on_conflict_do_nothing(), [new])
    model_id = session.scalars(statement).one()
    if state is ModelState.ACTIVE:
        _activate(session, model_id)
    return model_id


@transaction
def activate_model(session: Session, model_id: int) -> None:
    """Make this the active version and retire the one that was; its verdicts stay."""
    _activate(session, model_id)


@transaction
def activate_first_model(session: Session, model_id: int) -> bool:
    """Make this the active version if there is none; whether it was done."""
    if any(version.state is ModelState.ACTIVE for version in _locked_versions(session)):
        return False
    _activate(session, model_id)
    return True


@transaction
def begin_shadow(session: Session, identity: ModelIdentity, policy: Policy) -> int:
    """Start shadow scoring by this version; its id. Raises `PromotionRefused` if it is active."""
    model_id = _register(session, identity, policy, ModelState.CANDIDATE)
    version = next(version for version in _locked_versions(session) if version.id == model_id)
    if version.state is ModelState.ACTIVE:
        raise PromotionRefused(f"{version.name} gives the verdicts already; there is nothing to run beside it")
    version.state = ModelState.CANDIDATE
    return model_id


@transaction
def end_shadow(session: Session, model_id: int) -> None:
    """Stop shadow scoring by a candidate: its open work waits until it is started again; its verdicts are kept."""
    version = session.get_one(ModelVersion, model_id, with_for_update=True)
    if version.state is ModelState.ACTIVE:
        raise PromotionRefused(f"{version.name} gives the verdicts; make another version active before this one rests")
    version.state = ModelState.RETIRED


@transaction
def reactivate_previous(session: Session) -> int:
    """Make the previously active version active again; its id. Raises `PromotionRefused` if there is none."""
    before = [
        version
        for version in _locked_versions(session)
        if version.state is not ModelState.ACTIVE and version.activated_at is not None
    ]
    if not before:
        raise PromotionRefused("no other model version has given verdicts here: there is nothing to go back to")
    previous = max(before, key=lambda version: (version.activated_at, version.id))
    _activate(session, previous.id)
    return previous.id


def _locked_versions(session: Session) -> Sequence[ModelVersion]:
    """All versions, locked in a fixed order: of two concurrent promotions the second one sees the result of the first.

    Verdicts may be stored meanwhile: they refer to a version's id, which no promotion changes.
    """
    return session.scalars(select(ModelVersion).order_by(ModelVersion.id).with_for_update(key_share=True)).all()


def _activate(session: Session, model_id: int) -> None:
    versions = _locked_versions(session)
    chosen = next(version for version in versions if version.id == model_id)
    if chosen.state is ModelState.ACTIVE:
        return
    for version in versions:
        if version.state is ModelState.ACTIVE:
            version.state = ModelState.RETIRED
    session.flush()
    chosen.state, chosen.activated_at = ModelState.ACTIVE, session.scalar(select(database_now()))
