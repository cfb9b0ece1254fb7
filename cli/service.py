"""What every long-running process of a deployment begins with: its settings, logs, signals and metrics."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from core.errors import Transient
from core.settings import Settings, load_settings
from workers import telemetry
from workers.health import Health, Progress
from workers.logs import configure_logging

log = structlog.get_logger(__name__)
R = TypeVar("R")

LONGEST_PAUSE_S = 30.0


def start(end_with: int | None = None, **overrides: object) -> Settings:
    """Settings and logs of a long-running process."""
    if end_with is not None:
        _end_with_parent(end_with)
    _make_nice_count()
    # Until what serves puts its own handler in place, nothing is in hand: ended while a model loads is ended in good
    # order, and no exception is raised that a library's clean-up could swallow.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    settings = load_settings(**overrides)
    configure_logging(settings.log_format, settings.log_level)
    return settings


def wait_for(step: Callable[[], R]) -> R:
    """What `step` returns, tried again, later each time, for as long as it raises `Transient`: a server is away."""

    def log_wait(state: RetryCallState) -> None:
        problem = state.outcome.exception() if state.outcome else None
        log.warning("waiting", problem=str(problem), again_in_seconds=round(state.upcoming_sleep))

    wait = wait_exponential(multiplier=1, max=LONGEST_PAUSE_S)
    return Retrying(retry=retry_if_exception_type(Transient), wait=wait, before_sleep=log_wait, reraise=True)(step)


def serve_telemetry(
    settings: Settings, progress: Progress, ready: Callable[[], Health] = lambda: Health(True, "ready")
) -> None:
    """Serve /metrics, /healthz and /readyz where a port is set for them."""
    if settings.metrics_port is not None:
        telemetry.serve_telemetry(settings.metrics_port, progress, ready)


def _make_nice_count() -> None:
    """Tell Linux that a whole session is as nice as the process that leads it.

    Where it weighs sessions against each other (autogroup, on by default in Debian and Ubuntu), `nice` counts within a
    session only, and each process that a service manager, a container or `walkaround scan` starts has its own session.
    """
    if os.getsid(0) == os.getpid() and (niceness := os.nice(0)) > 0:
        with contextlib.suppress(OSError):  # no such thing here
            Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")


def _end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, however it dies (Linux's PR_SET_PDEATHSIG).

    Killed, not asked to end: a worker in good order would first finish what it loads and scores, for minutes perhaps,
    and the next run takes up what is in hand as after any crash.
    """
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        raise SystemExit(1)
