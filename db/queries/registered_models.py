"""The registered model versions, with their verdicts and their open work."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from core.domain import ModelIdentity, ModelState, WorkState
from core.errors import ModelUnusable
from core.policy import Policy
from db.history import Verdict
from db.models import ModelVersion, Work
from db.queries.state import ModelRow
from db.session import snapshot


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A registered model version. `verdicts` counts those it gave, `waiting` the sets it has still to score."""

    id: int
    identity: ModelIdentity
    policy: Policy
    state: ModelState
    created_at: datetime
    activated_at: datetime | None
    verdicts: int
    waiting: int

    @property
    def reference(self) -> str:
        """Its id and name, for people."""
        return f"{self.id} ({self.identity.name})"


@snapshot
def model_versions(session: Session) -> list[VersionRow]:
    """All versions, oldest first."""
    return [_row(row) for row in session.execute(_versions().order_by(ModelVersion.id))]


@snapshot
def model_by_id(session: Session, model_id: int) -> ModelRow | None:
    """One version's identity and policy."""
    row = session.get(ModelVersion, model_id)
    return ModelRow(row.id, _identity(row), Policy.model_validate(row.policy)) if row else None


@snapshot
def serving_models(session: Session) -> list[ModelRow]:
    """The versions that sets are scored by: the active one first, then the candidates."""
    serving = ModelVersion.state != ModelState.RETIRED
    rows = session.scalars(select(ModelVersion).where(serving).order_by(ModelVersion.state, ModelVersion.id))
    return [ModelRow(row.id, _identity(row), Policy.model_validate(row.policy)) for row in rows]


@snapshot
def find_version(session: Session, reference: str) -> VersionRow:
    """The version that is named by `active`, by its id, or by its name where that is unique. Raises `ModelUnusable`."""
    rows = [_row(row) for row in session.execute(_versions().order_by(ModelVersion.id))]
    by_id = [row for row in rows if reference == str(row.id)]
    matches = by_id or [row for row in rows if reference in (row.state.value, row.identity.name)]
    if reference == ModelState.RETIRED or len(matches) != 1:
        known = ", ".join(f"{row.reference} {row.state.value}" for row in rows) or "none"
        what = "fits several model versions" if len(matches) > 1 else "is no model version of this database"
        raise ModelUnusable(f"{reference} {what}; name one by its number: {known}")
    return matches[0]


def _versions() -> Select[tuple[ModelVersion, int, int]]:
    verdicts = select(func.count()).where(Verdict.model_id == ModelVersion.id).scalar_subquery()
    waits = Work.state.in_((WorkState.PENDING, WorkState.LEASED))
    waiting = select(func.count()).where(Work.model_id == ModelVersion.id, waits).scalar_subquery()
    return select(ModelVersion, verdicts.label("verdicts"), waiting.label("waiting"))


def _row(row: Row[tuple[ModelVersion, int, int]]) -> VersionRow:
    version = row.ModelVersion
    return VersionRow(
        id=version.id,
        identity=_identity(version),
        policy=Policy.model_validate(version.policy),
        state=version.state,
        created_at=version.created_at,
        activated_at=version.activated_at,
        verdicts=row.verdicts,
        waiting=row.waiting,
    )


def _identity(version: ModelVersion) -> ModelIdentity:
    return ModelIdentity(version.name, version.weights_sha256, version.preprocess_sha256)
