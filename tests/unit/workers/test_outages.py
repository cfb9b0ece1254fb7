"""An outage is one line a minute and a count, never a stack trace for each step that meets it."""

import structlog
from prometheus_client import REGISTRY

from core.errors import InvalidEvent, StoreRefused, StoreUnavailable
from workers.outages import OutageReporter, cause_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def failures(cause: str) -> float:
    return REGISTRY.get_sample_value("walkaround_failures_total", {"cause": cause}) or 0.0


def test_each_kind_is_logged_once_a_minute_and_every_one_counted() -> None:
    clock = Clock()
    report = OutageReporter(clock)
    before = failures("operator")
    with structlog.testing.capture_logs() as logs:
        for _ in range(100):
            report("set_given_back", StoreRefused("the credentials have expired"), failures=1)
        report("set_given_back", StoreUnavailable("no answer"))
        clock.now = 61
        report("set_given_back", StoreRefused("the credentials have expired"))
    assert [(entry["cause"], entry["log_level"], entry["not_logged_since"]) for entry in logs] == [
        ("operator", "error", 0),
        ("outage", "warning", 0),
        ("operator", "error", 99),
    ]
    assert not any("exc_info" in entry for entry in logs)
    assert failures("operator") - before == 101


def test_only_errors_of_foreign_types_are_bugs() -> None:
    errors = (StoreUnavailable(""), StoreRefused(""), InvalidEvent(""), ZeroDivisionError())
    assert [cause_of(error) for error in errors] == ["outage", "operator", "refused", "bug"]
