"""The long-running parts of a deployment, and the one-off `ingest`."""

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import SettingsInvalid
from core.settings import Settings, load_settings

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from workers.health import Progress


def worker(
    queues: Annotated[str, typer.Option(help="Which queues: intake, classify, rescore.")] = "intake,classify,rescore",
    concurrency: Annotated[int | None, typer.Option(min=1, help="Sets in flight; by default from the cores.")] = None,
    end_with: Annotated[int | None, typer.Option(hidden=True, help="End when this parent process ends.")] = None,
) -> None:
    """Run a Celery worker: one process, many threads, one model.

    Example: `walkaround worker --queues classify,rescore`
    """
    from workers.app import CLASSIFY, QUEUES, RESCORE, end_worker, make_app, resources
    from workers.logs import follow_tasks
    from workers.metrics import BacklogCollector
    from workers.retirement import RetirementWatch

    unknown = set(queues.split(",")) - set(QUEUES)
    if unknown:
        raise SettingsInvalid(
            f"--queues: there is no queue {', '.join(sorted(unknown))}; there are {', '.join(QUEUES)}"
        )
    settings = _start(end_with)
    from prometheus_client import REGISTRY

    from db import queries

    app = make_app(settings)
    progress = resources(app).progress
    follow_tasks(progress)
    REGISTRY.register(BacklogCollector(lambda: queries.backlog(resources(app).context.sessions)))
    _serve_telemetry(settings, progress)
    retirement: RetirementWatch | None = None
    try:
        if {CLASSIFY, RESCORE} & set(queues.split(",")):
            model = resources(
                app
            ).scoring.classifier.identity  # loaded before taking work; the first becomes the active one
            retirement = RetirementWatch(resources(app).context.sessions, model, end_worker)
            retirement.watch()
        app.worker_main(
            [
                *("worker", "--pool", "threads", "--queues", queues, "--without-mingle", "--without-gossip"),
                *("--concurrency", str(concurrency or settings.concurrency), "--loglevel", settings.log_level),
            ]
        )
    finally:
        resources(app).close()
        resources(app).check()
        if retirement is not None:
            retirement.check()


def beat() -> None:
    """Run the schedule. Several may run: one of them rings, another takes over when it dies.

    Example: `walkaround beat`
    """
    settings = _start()
    from celery import signals

    from workers.app import make_app
    from workers.health import Progress
    from workers.logs import follow_tasks

    app = make_app(settings)
    follow_tasks()
    progress = Progress()
    signals.before_task_publish.connect(lambda **_: progress.touch(), weak=False)
    _serve_telemetry(settings, progress)
    app.Beat(loglevel=settings.log_level).run()


def consume() -> None:
    """Read S3 events from the SQS queue of WALKAROUND_SQS_QUEUE_URL and ingest the sets they speak of.

    Example: `walkaround consume`
    """
    settings = _start()
    from threading import Event

    from workers.app import make_app, resources
    from workers.consumer import make_consumer
    from workers.health import Progress

    progress = Progress()
    consumer = make_consumer(settings, resources(make_app(settings)).context, progress)
    _serve_telemetry(settings, progress)
    stop = Event()
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, lambda *_: stop.set())
    consumer.run(stop)


def webhook(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8080,
) -> None:
    """Receive events that an S3-compatible server posts, with the bearer token of WALKAROUND_WEBHOOK_TOKEN.

    Example: `walkaround webhook --host 0.0.0.0 --port 8080`
    """
    settings = _start()
    from functools import partial

    from core.events import changed_sets
    from web.webhook import make_webhook, serve
    from workers import pipeline
    from workers.app import make_app, resources
    from workers.health import Progress
    from workers.metrics import EVENT_MESSAGES

    if settings.webhook_token is None:
        raise SettingsInvalid("WALKAROUND_WEBHOOK_TOKEN is missing; it is the bearer token that events are posted with")
    context = resources(make_app(settings)).context
    app = make_webhook(
        settings.webhook_token.get_secret_value(),
        sets_of=partial(changed_sets, store=context.store.name, layout=context.layout),
        ingest=partial(pipeline.ingest, context),
        count=lambda outcome: EVENT_MESSAGES.labels(source="webhook", outcome=outcome).inc(),
    )
    _serve_telemetry(settings, Progress(due=lambda: False))  # its own /healthz says whether it answers
    serve(app, host, port)


def ingest(
    keys: Annotated[list[str], typer.Argument(help="Keys of photos, or the folders of sets.")],
) -> None:
    """Look at sets again now, as if an event had come.

    Example: `walkaround ingest returns/harbour/HB-204/2026-11-20-0815/`
    """
    settings = load_settings()
    from workers import pipeline
    from workers.app import make_app, resources

    context = resources(make_app(settings)).context
    for key in keys:
        outcome = pipeline.ingest(context, pipeline.set_of(context, key))
        state = f"closed by {outcome.closed_by}" if outcome.closed_by else "still open"
        typer.echo(f"{key}: generation {outcome.generation}, {state}, {'changed' if outcome.changed else 'as it was'}")


def replay() -> None:
    """Try again what was given up after too many attempts, once its cause is mended. See `walkaround report` for it.

    Example: `walkaround replay`
    """
    settings = load_settings()
    from db import queries, transactions
    from workers.app import CLASSIFY, make_app, resources

    context = resources(make_app(settings)).context
    found = False
    for item in queries.placed_photos(context.sessions, context.store.name, context.layout.root):
        if item.dead and (work := transactions.replay(context.sessions, item.set_id)):
            found = True
            context.publish(work, CLASSIFY)
            typer.echo(f"{item.ref.set_key}: due again")
    if not found:
        typer.echo("nothing was given up")


def _start(end_with: int | None = None) -> Settings:
    """Settings and logs of a long-running process."""
    from workers.logs import configure_logging

    if end_with is not None:
        _end_with_parent(end_with)
    _make_nice_count()
    # Until what serves puts its own handler in place, nothing is in hand: ended while a model loads is ended in good
    # order, and no exception is raised that a library's clean-up could swallow.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    return settings


def _make_nice_count() -> None:
    """Tell Linux that a whole session is as nice as the process that leads it.

    Where it weighs sessions against each other (autogroup, on by default in Debian and Ubuntu), `nice` counts within a
    session only, and whatever a service manager, a container or `walkaround scan` starts has one of its own.
    """
    if os.getsid(0) == os.getpid() and (niceness := os.nice(0)) > 0:
        with contextlib.suppress(OSError):  # no such thing here
            Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")


def _serve_telemetry(settings: Settings, progress: "Progress") -> None:
    from workers.telemetry import serve_telemetry

    if settings.metrics_port is not None:
        serve_telemetry(settings.metrics_port, progress)


def _end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, however it dies (Linux's PR_SET_PDEATHSIG).

    Killed, not asked to end: a worker in good order would first finish what it loads and scores, for minutes perhaps,
    and the next run takes up what is in hand as after any crash.
    """
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        raise SystemExit(1)
