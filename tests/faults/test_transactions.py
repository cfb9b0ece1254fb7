"""Every transaction in every order, without processes: a model of what must be true runs beside the database."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from core.completeness import Completeness
from core.domain import Label, ModelState, PhotoStatus
from db import transactions
from db.models import Base
from db.session import Sessions, engine_of, make_sessions
from db.transactions import Claim, Finish, WorkKey
from tests.faults.ledger_of_rows import doubled, finish_everything, frozen_rows, let_leases_run_out, rows, undecided
from tests.photo_sets import LEASE, MARKED, NOW, POLICY, all_due, arrive, register, scored, set_ref, stored

SETS = st.integers(1, 3)
NAMES = st.sampled_from("abc")
MAX_ATTEMPTS = 50
EXAMPLES = int(os.environ.get("FAULTS_EXAMPLES", "12"))
STEPS = int(os.environ.get("FAULTS_STEPS", "30"))


class Transactions(RuleBasedStateMachine):
    """The bucket and what may be claimed, kept in plain dictionaries beside the real tables."""

    sessions: Sessions
    claims: Bundle[Claim] = Bundle("claims")

    @initialize()
    def start(self) -> None:
        _empty(self.sessions)
        self.bucket: dict[int, dict[str, str]] = {number: {} for number in (1, 2, 3)}
        self.models = [register(self.sessions, "first")]
        self.holder: dict[WorkKey, int] = {}
        self.running: set[WorkKey] = set()  # claimed, and no lease has run out since
        self.generation: dict[int, int] = {}
        self.frozen: dict[tuple[str, object], str] = {}
        self.reviews: dict[str, tuple[int, str]] = {}
        for number in self.bucket:
            self.upload(number, "a", "1", is_told=True)

    @rule(number=SETS, name=NAMES, version=st.sampled_from("12"), is_told=st.booleans())
    def upload(self, number: int, name: str, version: str, is_told: bool) -> None:
        self.bucket[number][name] = version
        if is_told:
            self.ingest(number, is_proved=False)

    @rule(number=SETS, name=NAMES)
    def remove(self, number: int, name: str) -> None:
        self.bucket[number].pop(name, None)
        self.ingest(number, is_proved=True)

    @rule(number=SETS, is_proved=st.booleans())
    def ingest(self, number: int, is_proved: bool) -> None:
        ref = set_ref(number)
        listing = [stored(ref, name, version=version)[0] for name, version in sorted(self.bucket[number].items())]
        gone = [f"{ref.set_key}{name}.jpg" for name in "abc" if name not in self.bucket[number]] if is_proved else []
        outcome = arrive(self.sessions, ref, listing, MARKED if listing else Completeness(None), gone=gone)
        before = self.generation.get(outcome.set_id, 0)
        assert outcome.generation == before + outcome.changed
        self.generation[outcome.set_id] = outcome.generation
        again = arrive(self.sessions, ref, listing, MARKED if listing else Completeness(None), gone=gone)
        assert not again.changed
        assert again.opened == ()

    @rule(target=claims, data=st.data())
    def claim(self, data: st.DataObject) -> Any:
        works = sorted(
            (row["set_id"], row["model_id"], row["generation"])
            for row in rows(self.sessions, "work")
            if row["state"] in ("pending", "leased")
        )
        if not works:
            return multiple()
        return self._claim(WorkKey(*data.draw(st.sampled_from(works))))

    def _claim(self, work: WorkKey) -> Any:
        claimed = transactions.claim(self.sessions, work, LEASE, MAX_ATTEMPTS)
        if claimed is not None:
            assert claimed.token > self.holder.get(work, 0)
            self.holder[work] = claimed.token
            self.running.add(work)
        elif work not in self.running and self.generation[work.set_id] != work.generation:
            self.holder.pop(work, None)  # closed, for it is overtaken; one that runs is left to find that out
        return multiple() if claimed is None else claimed

    @rule(claimed=consumes(claims), damaged=st.booleans(), sees_one_gone=st.booleans())
    def finish(self, claimed: Claim, damaged: bool, sees_one_gone: bool) -> None:
        expected = self._expected(claimed)
        results = scored(claimed, 0.9 if damaged else 0.1)
        lacks_one = sees_one_gone and bool(results)
        if lacks_one:
            results[0] = transactions.PhotoResult(results[0].photo_id, PhotoStatus.GONE)
        if expected is Finish.VERDICT and lacks_one:
            expected = Finish.SUPERSEDED
            self.generation[claimed.work.set_id] += 1
        outcome = transactions.finish(self.sessions, claimed, results, POLICY, NOW, 0.1)
        assert outcome is expected
        if outcome is not Finish.FENCED:
            del self.holder[claimed.work]

    def _expected(self, claimed: Claim) -> Finish:
        if self.holder.get(claimed.work) != claimed.token:
            return Finish.FENCED
        is_current = self.generation[claimed.work.set_id] == claimed.work.generation
        return Finish.VERDICT if is_current else Finish.SUPERSEDED

    @rule(claimed=consumes(claims), is_bug=st.booleans())
    def give_back(self, claimed: Claim, is_bug: bool) -> None:
        transactions.release(self.sessions, claimed, timedelta(0), "an error", is_bug=is_bug)
        if self.holder.get(claimed.work) == claimed.token:
            del self.holder[claimed.work]

    @rule(target=claims, claimed=claims)
    def take_over(self, claimed: Claim) -> Any:
        """Another worker claims a set whose first one seems dead, and is not."""
        self._let_leases_run_out()
        return self._claim(claimed.work)

    @rule(claimed=claims)
    def reconcile(self, claimed: Claim) -> None:
        """Everything that runs is left alone until its lease ends, and is published then."""
        running = [row for row in rows(self.sessions, "work") if row["state"] == "leased"]
        self._let_leases_run_out()
        due = {work for work, _ in all_due(self.sessions, timedelta(0))}
        active = {row["id"] for row in rows(self.sessions, "model_version") if row["state"] == "active"}
        ours = {WorkKey(row["set_id"], row["model_id"], row["generation"]) for row in running}
        assert {work for work in ours if work.model_id in active} <= due, "a message would be lost for ever"

    def _let_leases_run_out(self) -> None:
        let_leases_run_out(self.sessions)
        self.running.clear()

    @rule(name=st.sampled_from(["first", "second"]))
    def swap(self, name: str) -> None:
        model = register(self.sessions, name, ModelState.CANDIDATE)
        transactions.activate_model(self.sessions, model)
        for work in transactions.open_rescoring(self.sessions, model, 1000):
            assert self.generation[work.set_id] == work.generation

    @precondition(lambda self: self.generation)
    @rule(data=st.data(), label=st.sampled_from(list(Label)), is_doubled=st.booleans())
    def review(self, data: st.DataObject, label: Label, is_doubled: bool) -> None:
        set_id = data.draw(st.sampled_from(sorted(self.generation)))
        key = f"review-{len(self.reviews)}"
        for _ in range(1 + is_doubled):
            transactions.add_review(
                self.sessions,
                idempotency_key=key,
                set_id=set_id,
                seen_verdict_id=None,
                seen_generation=self.generation[set_id],
                label=label,
                reason_code="looked",
                reviewer="ana",
                now=NOW,
            )
        self.reviews[key] = (set_id, label.value)

    @invariant()
    def nothing_is_doubled_or_changed(self) -> None:
        if not hasattr(self, "frozen"):
            return
        assert doubled(self.sessions) == []
        now = frozen_rows(self.sessions)
        assert {key: now.get(key) for key in self.frozen} == self.frozen
        self.frozen = now
        stored_reviews = {
            row["idempotency_key"]: (row["set_id"], row["label"]) for row in rows(self.sessions, "review")
        }
        assert stored_reviews == self.reviews

    @invariant()
    def no_return_that_lost_a_photo_is_clear(self) -> None:
        """And one that lost a photo which showed damage is damaged."""
        if not hasattr(self, "frozen"):
            return
        photos = [row for row in rows(self.sessions, "photo") if row["gone_reason"] and not row["superseded"]]
        seen = {(row["content_sha256"], row["model_id"]): row for row in rows(self.sessions, "prediction")}
        for verdict in rows(self.sessions, "verdict"):
            gone = [row for row in photos if row["set_id"] == verdict["set_id"]]
            if gone and self.generation[verdict["set_id"]] == verdict["generation"]:
                assert verdict["label"] != "clear"
                kept = [seen.get((row["content_sha256"], row["kept_model_id"])) for row in gone]
                if any(prediction and prediction["probability"] >= POLICY.damaged_at for prediction in kept):
                    assert verdict["label"] == "damaged"

    def teardown(self) -> None:
        """From any state, work that goes well leads to a verdict on every set."""
        if not hasattr(self, "bucket"):
            return
        for number in self.bucket:
            for _ in range(2):
                self.ingest(number, is_proved=True)
        finish_everything(self.sessions, MAX_ATTEMPTS)
        assert undecided(self.sessions) == []
        self.nothing_is_doubled_or_changed()


def _empty(sessions: Sessions) -> None:
    """No rows, faster than a new database; the guards of history are taken off for it."""
    engine = engine_of(sessions)
    tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for table in tables:
                connection.execute(text(f"DELETE FROM {table}"))
            return
        guards = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in guards:
            connection.execute(text(f"DROP TRIGGER {name}"))
        for table in tables:
            connection.execute(text(f"DELETE FROM {table}"))
        for _, source in guards:
            connection.exec_driver_sql(source)


@pytest.mark.timeout(1200)
def test_any_order_of_transactions(database_url: str, make_test_engine: Callable[..., Engine]) -> None:
    Transactions.sessions = make_sessions(make_test_engine(database_url))
    run_state_machine_as_test(
        Transactions,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
