"""Celery's side of the pipeline: unpack ids, call one step. The story itself is in `workers.pipeline`."""

from celery import Task, shared_task

from workers import pipeline
from workers.app import resources
from workers.context import work_key


@shared_task(name="walkaround.classify", bind=True)
def classify(self: Task[..., None], set_id: int, model_id: int, generation: int) -> None:
    """Score one set that the database says is due."""
    work = work_key(set_id, model_id, generation)
    pipeline.classify(resources(self.app).context, resources(self.app).scoring, work)


@shared_task(name="walkaround.reconcile", bind=True)
def reconcile(self: Task[..., None]) -> None:
    """Publisher again for what is due."""
    pipeline.reconcile(resources(self.app).context)


@shared_task(name="walkaround.nightly_scan", bind=True)
def nightly_scan(self: Task[..., None]) -> None:
    """Scan the fleet if tonight's scan has not been made."""
    pipeline.scan_if_due(resources(self.app).context)
