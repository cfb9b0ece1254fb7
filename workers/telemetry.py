"""What a process tells about itself: JSON logs with set and task ids, Prometheus metrics, and whether it gets on."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from socketserver import ThreadingMixIn
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Literal
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.errors import SettingsInvalid, WalkaroundError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from db.queries import Backlog

# Metrics. Names are in the base unit and in the plural of what is counted, as Prometheus asks.
EVENT_MESSAGES = Counter(
    "walkaround_event_messages",
    "Messages with S3 events, by where from and what became of them.",
    ["source", "outcome"],
)
SETS_FINISHED = Counter("walkaround_sets_finished", "Sets scored, by what became of the result.", ["outcome"])
PHOTOS_SCORED = Counter("walkaround_photos_scored", "Photos of scored sets, by their status.", ["status"])
VERDICT_SECONDS = Histogram(
    "walkaround_verdict_seconds",
    "From claiming a set to its verdict.",
    buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800),
)


class BacklogCollector(Collector):
    """Sets that wait for a verdict, asked of the database at each scrape: every worker tells the same."""

    def __init__(self, read: Callable[[], "Backlog"]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Nothing while the database is away: an old number would look like a new one."""
        try:
            backlog = self._read()
        except WalkaroundError:
            return
        sets = GaugeMetricFamily(
            "walkaround_backlog_sets", "Sets that wait for a verdict, by the state of their work.", labels=["state"]
        )
        for state in ("pending", "leased", "dead"):
            sets.add_metric([state], getattr(backlog, state))
        age = (datetime.now(UTC) - backlog.oldest).total_seconds() if backlog.oldest else 0.0
        yield sets
        yield GaugeMetricFamily(
            "walkaround_backlog_oldest_seconds", "Age of the oldest set that waits for a verdict.", value=age
        )
        yield GaugeMetricFamily(
            "walkaround_shadow_sets",
            "Sets that a candidate has still to score beside the active model.",
            value=backlog.shadow,
        )

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Registering must not ask the database."""
        return iter(())


PROGRESS_LIMIT = timedelta(minutes=10)  # longer than the slowest single step: a fleet scan's page, a large set


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a process gets on, and what a person reads about it."""

    healthy: bool
    reason: str


class Progress:
    """Whether a process gets on. Touched by its loop whenever something was done; asked by its liveness probe.

    It is unhealthy once `due` has said, from one probe to another, that something is to be done, for longer than
    `limit` without a touch. With nothing to do it may be silent for ever. Safe to use from many threads.
    """

    def __init__(
        self,
        limit: timedelta = PROGRESS_LIMIT,
        *,
        due: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._limit = limit.total_seconds()
        self._due = due
        self._clock = clock
        self._lock = Lock()
        self._waiting_since: float | None = None

    def touch(self) -> None:
        """Something was done just now."""
        with self._lock:
            self._waiting_since = None

    def health(self) -> Health:
        """The state as of now."""
        try:
            due = self._due()
        except WalkaroundError as error:  # a database that is away is not this process's fault; a restart helps nobody
            return Health(True, f"whether work is due cannot be told: {error}")
        with self._lock:
            if not due:
                self._waiting_since = None
                return Health(True, "nothing to do")
            now = self._clock()
            if self._waiting_since is None:
                self._waiting_since = now
            silent = now - self._waiting_since
        if silent > self._limit:
            return Health(False, f"work is due, and nothing was done for {silent:.0f} s")
        return Health(True, "work is being done")


def configure_logging(form: Literal["json", "console"], level: str) -> None:
    """Send every log line of this process, ours and those of the standard library, to stderr in one form.

    Called again, it replaces what it set before. Secrets are never logged: settings keep them wrapped.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    rendering: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Their INFO is a line per request; ours says the same with the set's id.
    for chatty in ("botocore", "urllib3", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def follow_tasks(progress: Progress | None = None) -> None:
    """Give every log line of a Celery task its `task_id` and `task`, and touch `progress` when a task ends.

    Celery is also kept from setting up logs of its own.
    """
    from celery import Task, signals

    def begin(task_id: str, task: Task[..., object], **_: object) -> None:
        structlog.contextvars.bind_contextvars(task_id=task_id, task=task.name)

    def end(**_: object) -> None:  # the thread goes on to another task: nothing of this one may stay
        structlog.contextvars.clear_contextvars()
        if progress is not None:
            progress.touch()

    def leave_logging_alone(**_: object) -> None:
        """A receiver of this signal is what makes Celery keep its hands off."""

    signals.task_prerun.connect(begin, weak=False, dispatch_uid="walkaround.begin")
    signals.task_postrun.connect(end, weak=False, dispatch_uid="walkaround.end")
    signals.setup_logging.connect(leave_logging_alone, weak=False, dispatch_uid="walkaround.logging")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    timeout = 10  # a client that says nothing holds no thread

    def log_message(self, format: str, *args: object) -> None:
        """A line per scrape helps nobody."""


def serve_telemetry(
    port: int,
    progress: Progress,
    *,
    host: str = "0.0.0.0",  # noqa: S104  inside a container; what is published is the compose file's business
    registry: CollectorRegistry = REGISTRY,
) -> WSGIServer:
    """Answer `/metrics` (Prometheus) and `/healthz` (200 while `progress` is healthy, else 503) in a thread of its own.

    `port` 0 takes a free one: see `server_port`. End it by `shutdown()` and `server_close()`. Raises `SettingsInvalid`
    where the port is taken.
    """
    metrics = make_wsgi_app(registry)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            body: Iterable[bytes] = metrics(environ, start_response)
            return body
        if environ["PATH_INFO"] != "/healthz":
            return _plain(start_response, "404 Not Found", "there are /metrics and /healthz here")
        health = progress.health()
        return _plain(start_response, "200 OK" if health.healthy else "503 Service Unavailable", health.reason)

    try:
        server = make_server(host, port, answer, server_class=_Server, handler_class=_QuietHandler)
    except OSError as error:
        raise SettingsInvalid(f"WALKAROUND_METRICS_PORT: port {port} cannot be listened on: {error}") from error
    Thread(target=server.serve_forever, name="telemetry", daemon=True).start()
    return server


def _plain(start_response: "StartResponse", status: str, sentence: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{sentence}\n".encode()]
