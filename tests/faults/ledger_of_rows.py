"""What must be true of the tables after any transactions in any order, and how to bring all work to its end."""

from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from db import queries, transactions
from db.session import Sessions
from db.transactions import Finish
from tests.photo_sets import LEASE, NOW, POLICY, all_due, scored

Row = dict[str, Any]


def rows(sessions: Sessions, table: str) -> list[Row]:
    """All rows of a table, as plain SQL has them."""
    with sessions() as session:
        return [dict(row) for row in session.execute(text(f"SELECT * FROM {table}")).mappings()]


def frozen_rows(sessions: Sessions) -> dict[tuple[str, object], str]:
    """Every row that may never change."""
    keys = {"verdict": "id", "review": "id", "prediction": "content_sha256"}
    return {
        (table, (row[key], row.get("model_id"))): repr(row)
        for table, key in keys.items()
        for row in rows(sessions, table)
    }


def finish_everything(sessions: Sessions, max_attempts: int) -> Counter[Finish]:
    """Do all work that is due by the active model, as workers that nothing happens to."""
    outcomes: Counter[Finish] = Counter()
    model = queries.active_model(sessions)
    while model is not None:
        let_leases_run_out(sessions)
        _make_due(sessions)
        transactions.open_rescoring(sessions, model.id, 1000)
        due = [work for work, _ in all_due(sessions, timedelta(0)) if work.model_id == model.id]
        if not due:
            return outcomes
        for work in due:
            claim = transactions.claim(sessions, work, LEASE, max_attempts)
            if claim is not None:
                outcomes[transactions.finish(sessions, claim, scored(claim), POLICY, NOW, 0.1)] += 1
    return outcomes


def let_leases_run_out(sessions: Sessions) -> None:
    """As if every worker had been silent for longer than its lease."""
    with sessions.begin() as session:
        session.execute(text("UPDATE work SET lease_until = created_at WHERE state = 'leased'"))


def _make_due(sessions: Sessions) -> None:
    """As if every pause were over and nothing had been published."""
    with sessions.begin() as session:
        session.execute(text("UPDATE work SET not_before = created_at, last_published = NULL"))


def doubled(sessions: Sessions) -> list[object]:
    """Verdicts that there are twice."""
    counts = Counter((row["set_id"], row["generation"], row["model_id"]) for row in rows(sessions, "verdict"))
    return [key for key, count in counts.items() if count > 1]


def undecided(sessions: Sessions) -> list[str]:
    """Complete sets with photos that have no verdict by the active model on their current content."""
    (active,) = [row["id"] for row in rows(sessions, "model_version") if row["state"] == "active"]
    judged = {(row["set_id"], row["generation"]) for row in rows(sessions, "verdict") if row["model_id"] == active}
    return [
        row["set_key"]
        for row in rows(sessions, "photo_set")
        if row["state"] == "complete" and (row["id"], row["generation"]) not in judged
    ]
