"""What was given up or refused is scored again, because a person says that its cause is mended."""

from collections.abc import Iterator

from db import queries, transactions
from db.queries import Replayable, ReplayFilter
from db.transactions import ReplayRequest, WorkKey
from workers.backlog import publish_due
from workers.context import Context


def replay(context: Context, wanted: ReplayFilter, request: ReplayRequest) -> Iterator[Replayable]:
    """Have everything that is wanted scored again, one return after another; yields those that are.

    A return with refused photos gets its next generation, which all its work follows.
    """
    for found in queries.replayable(context.sessions, wanted):
        if found.refused:
            replayed = transactions.replay_photos(context.sessions, found.set_id, found.refused, request) > 0
        else:
            works = [WorkKey(found.set_id, model_id, found.generation) for model_id in found.given_up_by]
            replayed = sum(transactions.replay_work(context.sessions, work, request) for work in works) > 0
        if replayed:
            yield found
    publish_due(context)
