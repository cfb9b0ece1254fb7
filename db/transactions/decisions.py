"""What a set is decided from, as its rows say: read under its lock, and compared with what was foreseen before."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.domain import ClosedBy, ModelIdentity
from core.policy import Policy
from core.verdict import Decision, PhotoEvidence, decide
from db.models import ModelVersion, PhotoSet
from db.photo_rows import photo_rows


@dataclass(frozen=True, slots=True)
class DecisionInputs:
    """All that goes into a verdict but the policy. Equal inputs give equal decisions."""

    evidence: tuple[PhotoEvidence, ...]
    closed_by: ClosedBy
    missing: tuple[str, ...]
    model: ModelIdentity

    def decide(self, policy: Policy) -> Decision:
        """The verdict that they give. Takes a second of CPU for ten thousand photos."""
        return decide(self.evidence, policy, self.closed_by, self.missing, self.model)


def stored_inputs(session: Session, photo_set: PhotoSet, model: ModelVersion) -> DecisionInputs:
    """What the rows say of the set's current content. Part of a transaction."""
    assert photo_set.closed_by is not None, "only complete sets are decided"
    return DecisionInputs(
        evidence=tuple(photo.evidence() for photo in photo_rows(session, [photo_set.id], model.id)[photo_set.id]),
        closed_by=photo_set.closed_by,
        missing=tuple(photo_set.missing),
        model=identity_of(model),
    )


def identity_of(model: ModelVersion) -> ModelIdentity:
    """Which model a registered version is."""
    return ModelIdentity(model.name, model.weights_sha256, model.preprocess_sha256)
