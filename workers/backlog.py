"""Work that should exist is opened, and published only as far as the queues are short: the broker never fills."""

from collections.abc import Sequence
from datetime import datetime

from db import queries, transactions
from db.models import Queue
from db.transactions import WorkKey
from workers.context import Context

# Rows that one transaction handles at most.
BATCH = 1000


def open_missing_work(context: Context, after: int = 0) -> tuple[int, int]:
    """Open work of the active model for one batch of sets that it was never asked for; how many, and the last set's id.

    They were complete before there was a model, or while one was swapped. Only sets of an id above `after` are looked
    at. Fresh returns overtake those that have a verdict of another model.
    """
    active = queries.active_model(context.sessions)
    opened = transactions.open_rescoring(context.sessions, active.id, BATCH, after=after) if active else []
    return len(opened), opened[-1].set_id if opened else after


def request_rescoring(context: Context) -> int:
    """Sets without a verdict by the active model are due again, on a queue that fresh returns overtake; how many."""
    total, after = 0, 0
    while (batch := open_missing_work(context, after))[0]:
        total, after = total + batch[0], batch[1]
    return total


def open_shadow(context: Context, model_id: int, since: datetime | None = None, share: float = 1.0) -> int:
    """Ask a candidate for the sets that it has not judged, beside the active model; how many were opened."""
    total, after = 0, 0
    while opened := transactions.open_rescoring(
        context.sessions, model_id, BATCH, since=since, share=share, after=after
    ):
        total, after = total + len(opened), opened[-1].set_id
    return total


def publish_due(context: Context) -> int:
    """Fill each queue with due work up to the length that it should have; how many messages were sent."""
    return sum(_fill(context, queue) for queue in Queue)


def _fill(context: Context, queue: Queue) -> int:
    sent, room = 0, context.publish.room(queue.value)
    while room > 0:
        wanted = min(room, BATCH)
        due = transactions.due_work(context.sessions, queue, wanted, context.settings.republish_after)
        sent += publish_all(context, due, queue)
        room = min(room - wanted, context.publish.room(queue.value)) if len(due) == wanted else 0
    return sent


def publish_all(context: Context, works: Sequence[WorkKey], queue: Queue) -> int:
    """Send a message for each piece of work that is marked as published; how many were sent.

    What could not be sent loses that mark, so that it is published as soon as there is room.
    """
    unsent = [work for work in works if not context.publish(work, queue.value)]
    if unsent:
        transactions.mark_unpublished(context.sessions, unsent)
    return len(works) - len(unsent)
