"""Logs with ids, metrics and health over real HTTP, and a liveness that looks at progress."""

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from celery import Celery
from prometheus_client import CollectorRegistry, Counter, generate_latest

from core.errors import DatabaseUnavailable, SettingsInvalid
from db.queries import Backlog
from workers.telemetry import (
    BacklogCollector,
    Health,
    Progress,
    configure_logging,
    follow_tasks,
    serve_telemetry,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


LIMIT = timedelta(minutes=10)


def test_a_process_with_work_and_no_progress_becomes_unhealthy(clock: Clock) -> None:
    progress = Progress(LIMIT, clock=clock)
    assert progress.health().healthy
    clock.now = 599
    assert progress.health().healthy
    clock.now = 601
    assert progress.health() == Health(False, "work is due, and nothing was done for 601 s")


def test_progress_starts_the_wait_anew(clock: Clock) -> None:
    progress = Progress(LIMIT, clock=clock)
    for now in range(0, 7200, 300):
        clock.now = now
        assert progress.health().healthy
        progress.touch()
    clock.now += 500
    assert progress.health().healthy
    clock.now += 601
    assert not progress.health().healthy
    progress.touch()
    assert progress.health().healthy


def test_an_idle_process_is_healthy_and_silence_counts_from_when_work_came(clock: Clock) -> None:
    work = False
    progress = Progress(LIMIT, due=lambda: work, clock=clock)
    for now in range(0, 86_400, 600):
        clock.now = now
        assert progress.health() == Health(True, "nothing to do")
    work = True
    assert progress.health().healthy
    clock.now += 600
    assert progress.health().healthy
    clock.now += 1
    assert not progress.health().healthy


def test_a_database_that_is_away_is_not_the_process_s_fault(clock: Clock) -> None:
    def away() -> bool:
        raise DatabaseUnavailable("no answer")

    progress = Progress(LIMIT, due=away, clock=clock)
    for now in (0, 10_000):
        clock.now = now
        assert progress.health() == Health(True, "whether work is due cannot be told: no answer")


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_health_over_http(clock: Clock) -> None:
    registry = CollectorRegistry()
    Counter("walkaround_something", "A counter.", registry=registry).inc(3)
    server = serve_telemetry(0, Progress(LIMIT, clock=clock), host="127.0.0.1", registry=registry)
    try:
        port = server.server_port
        assert "walkaround_something_total 3.0" in get(port, "/metrics")[1]
        assert get(port, "/healthz") == (200, "work is being done\n")
        clock.now = 601
        assert get(port, "/healthz") == (503, "work is due, and nothing was done for 601 s\n")
        assert get(port, "/")[0] == 404
        with pytest.raises(SettingsInvalid, match="WALKAROUND_METRICS_PORT"):
            serve_telemetry(port, Progress(), host="127.0.0.1", registry=registry)
    finally:
        server.shutdown()
        server.server_close()


def test_the_backlog_is_asked_at_each_scrape() -> None:
    backlogs = [Backlog(3, 2, 1, datetime.now(UTC) - timedelta(hours=1), shadow=7), Backlog(0, 0, 0, None)]
    registry = CollectorRegistry()
    registry.register(BacklogCollector(lambda: backlogs.pop(0)))

    text = generate_latest(registry).decode()
    assert 'walkaround_backlog_sets{state="pending"} 3.0' in text
    assert 'walkaround_backlog_sets{state="dead"} 1.0' in text
    assert "walkaround_backlog_oldest_seconds 36" in text
    assert "walkaround_shadow_sets 7.0" in text
    assert "walkaround_backlog_oldest_seconds 0.0" in generate_latest(registry).decode()


def test_no_old_backlog_is_told_while_the_database_is_away() -> None:
    def away() -> Backlog:
        raise DatabaseUnavailable("no answer")

    registry = CollectorRegistry()
    registry.register(BacklogCollector(away))
    assert generate_latest(registry) == b""


def lines(captured: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in captured.splitlines()]


def test_every_log_line_is_json_with_the_ids_in_hand(
    logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("json", "INFO")
    with structlog.contextvars.bound_contextvars(set_id=7):
        structlog.get_logger("workers.pipeline").info("set_finished", label="clear")
        logging.getLogger("celery.worker").warning("lost %s", "connection", extra={"attempt": 2})
        logging.getLogger("somewhere").debug("unheard")
    try:
        raise ValueError("ouch")
    except ValueError:
        structlog.get_logger().exception("failed")

    ours, theirs, failed = lines(capsys.readouterr().err)
    assert ours["event"] == "set_finished"
    assert (ours["set_id"], ours["label"], ours["level"], ours["logger"]) == (7, "clear", "info", "workers.pipeline")
    assert datetime.fromisoformat(str(ours["timestamp"])).utcoffset() == timedelta(0)
    assert (theirs["event"], theirs["set_id"], theirs["attempt"]) == ("lost connection", 7, 2)
    assert theirs["logger"] == "celery.worker"
    assert "set_id" not in failed
    assert "ValueError: ouch" in str(failed["exception"])


def test_the_console_form_is_for_people(logging_restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console", "INFO")
    structlog.get_logger("x").info("set_finished", label="clear")
    text = capsys.readouterr().err
    assert "set_finished" in text
    assert "label=clear" in text


def test_configuring_twice_says_everything_once(logging_restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console", "INFO")
    configure_logging("json", "INFO")
    logging.getLogger("x").info("once")
    assert [line["event"] for line in lines(capsys.readouterr().err)] == ["once"]


def test_tasks_give_their_id_to_their_lines_only_and_are_progress(
    logging_restored: None, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    configure_logging("json", "WARNING")
    progress = Progress(LIMIT, clock=clock)
    follow_tasks(progress)
    app = Celery("test", set_as_current=False)

    @app.task(name="walkaround.test")
    def work() -> None:
        structlog.get_logger("x").warning("inside", set_id=7)

    assert progress.health().healthy
    clock.now = 601
    assert not progress.health().healthy
    work.apply(task_id="an-id")
    assert progress.health().healthy
    structlog.get_logger("x").warning("outside")

    inside, outside = lines(capsys.readouterr().err)
    assert (inside["task_id"], inside["task"], inside["set_id"]) == ("an-id", "walkaround.test", 7)
    assert "task_id" not in outside
