"""Logs with ids, one form for every line."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import structlog
from celery import Celery

from workers.health import Progress
from workers.logs import configure_logging, follow_tasks


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


WARNING = """
import warnings
from workers.logs import configure_logging
configure_logging("json", "INFO")
warnings.warn("something is deprecated")
"""


def test_pythons_warnings_are_lines_like_all_others() -> None:
    told = subprocess.run([sys.executable, "-c", WARNING], capture_output=True, text=True, check=True).stderr
    (line,) = lines(told)
    assert "something is deprecated" in str(line["event"])
    assert line["logger"] == "py.warnings"


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


SHUTDOWN = """
from celery.apps import worker
from workers.logs import end_in_json
end_in_json()
worker.safe_say("worker: Warm shutdown (MainProcess)")
"""


def test_the_end_of_a_worker_is_a_line_like_all_others() -> None:
    told = subprocess.run([sys.executable, "-c", SHUTDOWN], capture_output=True, text=True, check=True).stderr
    (line,) = lines(told)
    assert (line["event"], line["level"]) == ("worker: Warm shutdown (MainProcess)", "info")
    assert datetime.fromisoformat(str(line["timestamp"])).utcoffset() == timedelta(0)
