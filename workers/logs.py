"""Logs: one form for every line of a process, with the ids of the task and the set in hand."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Literal

import structlog

from workers.health import Progress


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
    logging.captureWarnings(True)  # Python's warnings too
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


def end_in_json() -> None:
    """Have a Celery worker announce its end in JSON: it prints that, past all loggers, from a signal handler."""
    from celery.apps import worker

    setattr(worker, "safe_say", _announce)  # noqa: B010  a function of its own that celery-types does not know


def _announce(message: str, *_: object) -> None:
    """One write and no lock: whatever the signal interrupted may be writing a log line itself."""
    line = {"event": message, "logger": "celery.worker", "level": "info", "timestamp": f"{datetime.now(UTC):%FT%TZ}"}
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{json.dumps(line)}\n".encode())
