"""Opens work for complete sets that a model version has not judged."""

from datetime import datetime

from sqlalchemy import ColumnElement, exists, select, true
from sqlalchemy.orm import Session

from core.domain import ModelState
from db.history import Verdict
from db.models import ModelVersion, PhotoSet, Queue, SetState, Work
from db.session import transaction
from db.transactions.queue import WorkKey, open_work

# Knuth's multiplicative hash spreads ids evenly over 2^32: the same sets are in a share today and tomorrow.
_SPREAD, _RANGE = 2_654_435_761, 2**32


@transaction
def open_rescoring(
    session: Session, model_id: int, limit: int, *, since: datetime | None = None, share: float = 1.0, after: int = 0
) -> list[WorkKey]:
    """Open work for at most `limit` complete sets that the model has not judged and has no work for.

    Only sets that changed `since`, only a fixed `share` (0 to 1) of all, only those of an id above `after`, in the
    order of their ids. Where the model is active, sets without any verdict on their content go on the queue for first
    verdicts.
    """
    judged = exists().where(Verdict.set_id == PhotoSet.id, Verdict.generation == PhotoSet.generation)
    asked = exists().where(
        Work.set_id == PhotoSet.id, Work.generation == PhotoSet.generation, Work.model_id == model_id
    )
    rows = session.execute(
        select(PhotoSet.id, PhotoSet.generation, judged)
        .where(PhotoSet.state == SetState.COMPLETE, ~asked, ~judged.where(Verdict.model_id == model_id))
        .where(PhotoSet.id > after, PhotoSet.last_change_at >= since if since else true(), _in_share(share))
        .order_by(PhotoSet.id)
        .limit(limit)
    ).all()
    active = session.get_one(ModelVersion, model_id).state is ModelState.ACTIVE
    opened = {
        WorkKey(set_id, model_id, generation): Queue.CLASSIFY if active and not is_judged else Queue.RESCORE
        for set_id, generation, is_judged in rows
    }
    open_work(session, opened, published=False)  # there may be millions: the reconciler publishes them bit by bit
    return list(opened)


def _in_share(share: float) -> ColumnElement[bool]:
    return true() if share >= 1 else PhotoSet.id * _SPREAD % _RANGE < int(share * _RANGE)
