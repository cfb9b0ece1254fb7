"""Errors say who can help, and refusals what to do."""

import pytest

from core import errors
from core.errors import NeedsOperator, Permanent, PhotoRefused, Refusal, Transient, WalkaroundError

KINDS = (Transient, NeedsOperator, Permanent)
ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, WalkaroundError) and error not in (WalkaroundError, *KINDS)
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_of_one_kind(error: type[WalkaroundError]) -> None:
    """Time helps, an operator helps, or nothing does: whoever catches one kind never gets another."""
    assert sum(issubclass(error, kind) for kind in KINDS) == 1


@pytest.mark.parametrize("reason", Refusal)
def test_every_refusal_says_what_happened_and_what_to_do(reason: Refusal) -> None:
    happened, _, remedy = reason.explanation.partition("; ")
    assert happened
    assert remedy
    assert str(PhotoRefused(reason, "a detail")) == f"{reason.explanation} (a detail)"
    assert PhotoRefused(reason).reason is reason
