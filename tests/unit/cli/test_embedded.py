"""Following the work takes little of the cores that the worker needs, however many returns there are."""

import pytest

from cli.embedded import FOLLOWING_SHARE, LONGEST_PAUSE_SECONDS, POLL_SECONDS, pause_after


@pytest.mark.parametrize("seconds", [0.001, 0.04, 0.4])
def test_a_look_takes_no_more_than_its_share_of_a_core(seconds: float) -> None:
    assert seconds / (seconds + pause_after(seconds)) <= FOLLOWING_SHARE


def test_a_quick_look_is_taken_often_enough_for_a_progress_bar() -> None:
    assert pause_after(0.0) == POLL_SECONDS <= 0.5


def test_a_million_returns_do_not_make_the_end_go_unseen() -> None:
    assert pause_after(8.0) == LONGEST_PAUSE_SECONDS <= 60
