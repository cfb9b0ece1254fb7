"""A lease lasts as long as the block that keeps it, and not a moment longer."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.completeness import CompletionRules
from core.errors import DatabaseUnavailable
from core.keys import KeyLayout
from core.settings import load_settings
from core.testing.memory_store import MemoryPhotoStore
from db import transactions
from db.models import Work
from db.session import Sessions
from db.transactions import Claim
from tests.photo_sets import SentMessages, arrive, must_claim, register, set_ref, stored
from workers import lease
from workers.context import Context
from workers.lease import kept_lease, kept_scan

LEASE = timedelta(seconds=0.3)
PATIENCE_S = 60.0


@pytest.fixture
def context(sessions: Sessions) -> Context:
    settings = load_settings().model_copy(update={"lease": LEASE})
    return Context(settings, MemoryPhotoStore(), KeyLayout(), CompletionRules(), sessions, publish=SentMessages())


@pytest.fixture
def claimed(sessions: Sessions) -> Claim:
    register(sessions)
    return must_claim(sessions, arrive(sessions, set_ref(), stored(set_ref(), "a")).opened[0], LEASE)


def lease_until(sessions: Sessions) -> datetime | None:
    with sessions() as session:
        return session.scalars(select(Work.lease_until)).one()


def keepers() -> int:
    return sum(thread.name == "lease" for thread in threading.enumerate())


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released by each renewal that was tried."""
    tried, renew = threading.Semaphore(0), transactions.renew

    def watched(sessions: Sessions, claim: Claim, wanted: timedelta) -> bool:
        try:
            return renew(sessions, claim, wanted)
        finally:
            tried.release()

    monkeypatch.setattr(transactions, "renew", watched)
    return tried


def test_it_is_renewed_while_the_block_lasts(
    context: Context, claimed: Claim, sessions: Sessions, renewed: threading.Semaphore
) -> None:
    before = lease_until(sessions)
    with kept_lease(context, claimed) as lost:
        for _ in range(3):
            assert renewed.acquire(timeout=PATIENCE_S)
        assert not lost.is_set()
    after = lease_until(sessions)
    assert before is not None
    assert after is not None
    assert after > before
    assert keepers() == 0


def test_it_is_said_when_somebody_else_has_it(context: Context, claimed: Claim, sessions: Sessions) -> None:
    transactions.end_leases(sessions)
    theirs = must_claim(sessions, claimed.work)
    with kept_lease(context, claimed) as lost:
        assert lost.wait(PATIENCE_S)
    assert transactions.renew(sessions, theirs, LEASE), "theirs is untouched"


def test_a_database_that_is_away_is_asked_again(
    context: Context, claimed: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([DatabaseUnavailable("it is away"), DatabaseUnavailable("still"), None])
    came_back, renew = threading.Event(), transactions.renew

    def away_twice(sessions: Sessions, claim: Claim, wanted: timedelta) -> bool:
        if (error := next(answers, None)) is not None:
            raise error
        came_back.set()
        return renew(sessions, claim, wanted)

    monkeypatch.setattr(transactions, "renew", away_twice)
    with kept_lease(context, claimed) as lost:
        assert came_back.wait(PATIENCE_S)
        assert not lost.is_set()


def test_it_ends_with_the_block_however_that_ends(context: Context, claimed: Claim) -> None:
    with pytest.raises(ZeroDivisionError), kept_lease(context, claimed):
        raise ZeroDivisionError
    assert keepers() == 0


def test_it_is_not_kept_for_ever(
    context: Context, claimed: Claim, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that never answers must not hold its set: after a while the keeper gives up."""
    monkeypatch.setattr(lease, "LONGEST_SECONDS", 0.0)
    before = lease_until(sessions)
    with kept_lease(context, claimed):
        (keeper,) = [thread for thread in threading.enumerate() if thread.name == "lease"]
        keeper.join(PATIENCE_S)
        assert not keeper.is_alive()
    assert lease_until(sessions) == before


def test_a_running_scan_gives_signs(context: Context, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SCAN_SIGN_SECONDS", 0.05)
    long_ago = datetime(2026, 11, 1, tzinfo=UTC)
    scan_id = transactions.start_scan(sessions, "fleet", "memory", "returns/", long_ago)
    signs = threading.Semaphore(0)
    keep_scan = transactions.keep_scan

    def watched(*arguments: Any) -> None:
        keep_scan(*arguments)
        signs.release()

    monkeypatch.setattr(transactions, "keep_scan", watched)
    with kept_scan(context, scan_id):
        assert signs.acquire(timeout=PATIENCE_S)
    last_sign, finished = transactions.last_scan(sessions, "fleet", "memory")
    assert last_sign is not None
    assert last_sign > long_ago
    assert finished is None
