"""The whole system on one machine without a server installed: a Valkey of our own on a unix socket, real workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

import structlog
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cli.waiting import WaitingNotes
from core.errors import WalkaroundError
from core.settings import PREFIX, Settings
from db import queries, transactions
from db.session import make_engine, upgrade
from workers import health, pipeline
from workers.app import make_app, resources
from workers.bootstrap import activate_configured_model
from workers.consumer import make_consumer, queue_depth
from workers.context import Context

log = structlog.get_logger(__name__)

MAX_RESTARTS = 5
POLL_SECONDS = 0.25
FOLLOWING_SHARE = 0.02  # of a core at most goes into following the work: to count 5,000 returns takes 40 ms
LONGEST_PAUSE_SECONDS = 30.0
RECONCILE_SECONDS = 5.0


class EmbeddedBroker:
    """A Valkey server on a unix socket, in a process that ends, and takes its folder away, when this one ends."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli.embedded_broker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C reaches us alone
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise WalkaroundError("the embedded broker did not start; its own words above say why")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()  # closes its standard input, which ends it


class EmbeddedWorker:
    """One worker process, started again when it dies; its log goes to a file."""

    def __init__(self, settings: Settings, queues: str, log_file: Path) -> None:
        self._environment = _without_settings(os.environ) | _as_environment(settings)
        self._command = [
            *(sys.executable, "-m", "cli.main", "worker", "--queues", queues),
            *("--end-with", str(os.getpid())),
        ]
        self._log_file = log_file
        self._restarts = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def ensure_running(self, context: Context) -> None:
        """Start the worker if it is not running. Raises `WalkaroundError` when it keeps dying."""
        if self.pid is not None:
            return
        # It is the only worker there is, so what a dead one held need not wait for its lease.
        transactions.end_leases(context.sessions)
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
            raise WalkaroundError(f"the worker died {MAX_RESTARTS} times; its last words are in {self._log_file}")
        if self._restarts:
            log.warning("worker_restarted", times=self._restarts)
        with self._log_file.open("ab") as output:
            # A session of its own: Ctrl-C reaches us alone, and we end the worker.
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and our own module
                self._command, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as it has ended."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def stop(self) -> None:
        """End it at once: what it had in hand is taken up from the database by the next run, as after any crash."""
        if self._process is not None:
            self._process.kill()  # its decoders end with it
            self._process.wait()


@contextmanager
def embedded_system(settings: Settings, out: Path) -> Iterator[tuple[Context, EmbeddedWorker]]:
    """A migrated database, a broker, the model made active, and a worker that is not started yet; all ended after."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    with EmbeddedBroker() as broker:
        settings = settings.model_copy(update={"broker_url": SecretStr(broker.url)})
        engine = make_engine(settings.database_url.get_secret_value())
        upgrade(engine)
        engine.dispose()
        context = resources(make_app(settings)).context
        activate_configured_model(settings, context.sessions)
        worker = EmbeddedWorker(settings, "classify,rescore", out / "worker.log")
        try:
            yield context, worker
        finally:
            worker.stop()


def run_until_done(settings: Settings, out: Path, console: Console) -> tuple[Context, pipeline.ScanResult]:
    """Scan the store once and have everything that is due scored. Raises `WalkaroundError` when it cannot be."""
    with embedded_system(settings, out) as (context, worker):
        with console.status(f"Listing {escape(context.store.name)} ..."):
            scanned = pipeline.scan(context, "embedded")
        with _progress_bar(console) as bar:
            _follow(context, worker, bar)
    return context, scanned


def _follow(context: Context, worker: EmbeddedWorker, bar: Progress) -> None:
    """Keep the worker running and show how far it is and what it waits for, until all is done."""
    task, notes = bar.add_task("Photos", total=None), WaitingNotes(bar.console)
    reconciled = time.monotonic()
    while True:
        began = time.thread_time()
        progress = queries.progress(context.sessions, context.store.name)
        bar.update(task, total=progress.photos_total, completed=progress.photos_done)
        if progress.sets_done + progress.dead >= progress.sets_total:
            return
        worker.ensure_running(context)
        if time.monotonic() - reconciled >= RECONCILE_SECONDS:
            pipeline.reconcile(context)
            notes.show(context)
            reconciled = time.monotonic()
        worker.wait(pause_after(time.thread_time() - began))


def pause_after(seconds: float) -> float:
    """Seconds to wait after a look that took so many seconds of CPU, so that the worker keeps the cores.

    Not longer than the longest, also where a million returns are counted: the bar must move, and the end be seen.
    """
    return min(max(POLL_SECONDS, seconds / FOLLOWING_SHARE), LONGEST_PAUSE_SECONDS)


def run_and_stay(settings: Settings, out: Path, console: Console, every: float) -> None:
    """Scan again and again, read the event queue if there is one, and keep a worker running, until interrupted."""
    with embedded_system(settings, out) as (context, worker):
        if settings.sqs_queue_url:
            _read_queue(settings, context)
        console.print(f"Watching {context.store.name}; verdicts go to {out}. Ctrl-C ends it.", markup=False)
        while True:
            worker.ensure_running(context)
            scanned = pipeline.scan(context, "embedded")
            pipeline.reconcile(context)
            progress = queries.progress(context.sessions, context.store.name)
            done = f"{progress.sets_done} of {progress.sets_total} returns have a verdict"
            console.print(f"{datetime.now().astimezone():%H:%M:%S}  {done}, {scanned.repaired} changed")
            worker.wait(every)


def _read_queue(settings: Settings, context: Context) -> None:
    """In a thread of its own, as long as this process lasts. Raises `StoreUnavailable` where there is no such queue."""
    queue_depth(settings)
    consumer = make_consumer(settings, context, health.Progress())
    Thread(target=consumer.run, args=[Event()], name="consumer", daemon=True).start()


def _progress_bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _without_settings(environment: os._Environ[str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX)}


def _as_environment(settings: Settings) -> dict[str, str]:
    """The settings as the variables that a child process reads them from."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    texts = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else text
        for name, value in values.items()
        if (text := _text(value)) is not None
    }
    return {f"{PREFIX}{name.upper()}": text for name, text in texts.items()}


def _text(value: object) -> str | None:
    if value is None:
        return None
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)
