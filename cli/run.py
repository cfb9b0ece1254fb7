"""`walkaround worker` and `walkaround beat`: the processes that do the work, and the one that keeps the time."""

import os
import socket
import sys
from typing import Annotated

import typer
from celery import signals
from prometheus_client import REGISTRY

from cli.service import serve_telemetry, start, wait_for
from core.errors import SettingsInvalid
from core.model.device import pin_gpu
from db import queries
from workers.app import end_worker, make_app, resources
from workers.bootstrap import log_sizes
from workers.health import Progress
from workers.logs import end_in_json, follow_tasks
from workers.metrics import BacklogCollector
from workers.patience import ticked
from workers.queues import CLASSIFY, QUEUES, RESCORE
from workers.retirement import RetirementWatch


def worker(
    queues: Annotated[str, typer.Option(help="Which queues: intake, classify, rescore.")] = "intake,classify,rescore",
    concurrency: Annotated[int | None, typer.Option(min=1, help="Sets in flight; by default from the cores.")] = None,
    gpu: Annotated[
        int | None, typer.Option(min=0, help="Compute on this GPU alone: one process for each GPU of a machine.")
    ] = None,
    end_with: Annotated[int | None, typer.Option(hidden=True, help="End when this parent process ends.")] = None,
) -> None:
    """Run a Celery worker: one process, many threads, one model.

    Example: `walkaround worker --queues classify,rescore`
    """
    unknown = set(queues.split(",")) - set(QUEUES)
    if unknown:
        raise SettingsInvalid(
            f"--queues: there is no queue {', '.join(sorted(unknown))}; there are {', '.join(QUEUES)}"
        )
    chosen: dict[str, object] = {"concurrency": concurrency} if concurrency is not None else {}
    if gpu is not None:
        pin_gpu(gpu)
        chosen["device"] = "gpu"
    settings = start(end_with, **chosen)
    log_sizes(settings)
    app = make_app(settings)
    resources(app).serve(queues.split(","))
    progress = resources(app).progress
    follow_tasks(progress)
    if settings.log_format == "json":
        end_in_json()
    REGISTRY.register(BacklogCollector(lambda: queries.backlog_figures(resources(app).context.sessions)))
    serve_telemetry(settings, progress, resources(app).readiness)
    retirement: RetirementWatch | None = None
    wait_for(lambda: resources(app).context)
    try:
        if {CLASSIFY, RESCORE} & set(queues.split(",")):
            # Loaded before work is taken; the first becomes the active one.
            model = wait_for(lambda: resources(app).scoring.classifier.identity)
            retirement = RetirementWatch(resources(app).context.sessions, model, end_worker)
            retirement.watch()
        signals.worker_ready.connect(lambda **_: resources(app).start_taking_work(), weak=False)
        # Not `worker_main`, which drops the code that the worker ends with.
        celery_worker = app.Worker(
            hostname=_node_name(queues),
            queues=queues,
            pool="threads",
            concurrency=settings.concurrency,
            loglevel=settings.log_level,
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        celery_worker.start()
    finally:
        resources(app).close()
        resources(app).check()
        if retirement is not None:
            retirement.check()
    # None: it was terminated, and what it had in hand with it.
    sys.exit(1 if celery_worker.exitcode is None else celery_worker.exitcode)


def beat() -> None:
    """Run the schedule. Several may run: one of them sends messages, another takes over when it dies.

    Example: `walkaround beat`
    """
    settings = start()
    app = make_app(settings)
    follow_tasks()
    progress = Progress()
    ticked.connect(lambda **_: progress.touch(), weak=False)
    serve_telemetry(settings, progress)
    app.Beat(loglevel=settings.log_level, quiet=True).run()


def _node_name(queues: str) -> str:
    """What Celery knows this worker by: no two on one machine may have the same name."""
    return f"{queues.replace(',', '+')}-{os.getpid()}@{socket.gethostname()}"
