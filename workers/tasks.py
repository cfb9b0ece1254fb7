"""Celery's side of the pipeline: unpack ids, call one step. The story itself is in `workers.pipeline`."""

from typing import Any

from celery import Task, shared_task

from core.errors import DeviceBroken, WalkaroundError
from workers import pipeline
from workers.app import end_worker, resources
from workers.context import work_key
from workers.outages import report_outage


class Step(Task[..., None]):
    """A task that ends in good order after an outage: Celery would log each with a stack trace, as it does a bug.

    Nothing is lost: what it should have done is still due in SQL.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Run the step."""
        try:
            super().__call__(*args, **kwargs)
        except WalkaroundError as error:
            report_outage("step_failed", error)


@shared_task(name="walkaround.classify", bind=True, base=Step)
def classify(self: Task[..., None], set_id: int, model_id: int, generation: int) -> None:
    """Score one set that the database says is due. A worker whose device is broken takes no more and ends."""
    held = resources(self.app)
    if held.ended_by is not None:
        return
    try:
        pipeline.classify(held.context, held.scoring, work_key(set_id, model_id, generation))
    except DeviceBroken as error:
        held.end(error)
        end_worker()


@shared_task(name="walkaround.reconcile", bind=True, base=Step)
def reconcile(self: Task[..., None]) -> None:
    """Publish what is due."""
    pipeline.reconcile(resources(self.app).context)


@shared_task(name="walkaround.nightly_scan", bind=True, base=Step)
def nightly_scan(self: Task[..., None]) -> None:
    """Scan the fleet if tonight's scan has not been made."""
    pipeline.scan_if_due(resources(self.app).context)
