"""A service that starts waits for servers that are away, and ends where a person must mend something."""

import pytest

from cli import service
from cli.service import wait_for
from core.errors import DatabaseUnavailable, DatabaseUnusable


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LONGEST_PAUSE_S", 0.01)


def test_what_may_pass_is_tried_again() -> None:
    answers: list[Exception | str] = [DatabaseUnavailable("away"), DatabaseUnavailable("away"), "there"]

    def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert wait_for(ask) == "there"


def test_what_a_person_must_mend_is_not() -> None:
    def ask() -> None:
        raise DatabaseUnusable("run `walkaround db upgrade`")

    with pytest.raises(DatabaseUnusable):
        wait_for(ask)
