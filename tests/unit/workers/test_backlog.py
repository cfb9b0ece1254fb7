"""Work is opened for sets that nobody asked for, and published as far as the queues are short; on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from core.domain import Label, ModelIdentity
from core.errors import PromotionRefused
from core.policy import Policy
from core.settings import load_settings
from core.testing.fixed_classifier import FixedClassifier
from db import queries, transactions
from db.models import Queue
from db.transactions import Finish, WorkKey
from tests.house import GREEN, POLICY, RED, SET, House, photo
from tests.photo_sets import all_due
from workers import backlog, pipeline
from workers.backlog import open_shadow, publish_due, request_rescoring


def several(house: House, number: int) -> None:
    for index in range(number):
        key = f"returns/harbour/V-{index}/r1/"
        house.put("1.jpg", GREEN, key)
        house.ingest(key)


def test_queues_are_filled_up_to_their_room_and_no_further(house: House) -> None:
    several(house, 7)
    house.answer()
    with house.context.sessions.begin() as session:
        session.execute(text("DELETE FROM work"))
    candidate = transactions.begin_shadow(house.context.sessions, FixedClassifier(name="second").identity, POLICY)
    assert open_shadow(house.context, candidate) == 7
    assert house.published == [], "nothing is published where it is opened"
    house.published.capacity = 3
    assert [publish_due(house.context) for _ in range(3)] == [3, 0, 0], "nobody takes them: no more are sent"
    taken, house.published[:] = [work for work, _ in house.published], []
    assert [publish_due(house.context), len(house.published)] == [3, 3]
    assert not {work for work, _ in house.published} & set(taken), "what was never published comes first"


def test_a_fresh_return_that_finds_its_queue_full_is_published_when_there_is_room(house: House) -> None:
    house.published.capacity = 2
    several(house, 4)
    assert len(house.published) == 2
    house.answer()
    assert publish_due(house.context) == 2, "at the next tick, and not after WALKAROUND_REPUBLISH_AFTER"
    assert house.answer() == [Finish.VERDICT] * 2
    assert len(house.labels()) == 4


def test_fresh_returns_pass_a_rescore_of_everything(house: House) -> None:
    several(house, 5)
    house.answer()
    house.published.capacity = 2
    sceptic = FixedClassifier(name="sceptic")
    model_id = transactions.register_model(house.context.sessions, sceptic.identity, POLICY)
    transactions.activate_model(house.context.sessions, model_id)
    assert request_rescoring(house.context) == 5
    publish_due(house.context)
    house.put("1.jpg", RED)
    house.ingest()
    assert [queue for _, queue in house.published] == ["rescore", "rescore", "classify"]


def test_a_rescore_is_opened_in_batches_until_all_sets_are_asked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "BATCH", 2)
    several(house, 5)
    house.answer()
    model_id = transactions.register_model(house.context.sessions, FixedClassifier(name="b").identity, POLICY)
    transactions.activate_model(house.context.sessions, model_id)
    assert request_rescoring(house.context) == 5
    assert request_rescoring(house.context) == 0
    assert publish_due(house.context) == 5, "in batches of two"


def shadow(house: House, identity: ModelIdentity, policy: Policy) -> int:
    candidate = transactions.begin_shadow(house.context.sessions, identity, policy)
    open_shadow(house.context, candidate)
    publish_due(house.context)
    assert {queue for _, queue in house.published} <= {"rescore"}
    return candidate


def test_a_candidate_scores_beside_the_active_model_and_changes_nothing_people_see(house: House) -> None:
    house.put("1.jpg", RED)
    house.ingest()
    house.answer()
    shown = queries.current_verdicts(house.context.sessions)
    classifier = FixedClassifier(name="second")
    candidate = shadow(house, classifier.identity, Policy(damaged_at=1.0, clear_below=1.0))
    assert house.answer() == [None], "the active model's workers leave it alone"
    work = WorkKey(shown[0].set_id, candidate, 1)
    beside = replace(
        house.scoring, model_id=candidate, classifier=classifier, policy=Policy(damaged_at=1, clear_below=1)
    )
    assert pipeline.classify(house.context, beside, work) is Finish.VERDICT
    assert queries.current_verdicts(house.context.sessions) == shown
    assert house.audit().passed
    assert open_shadow(house.context, candidate) == 0, "asked once"
    transactions.activate_model(house.context.sessions, candidate)
    assert house.labels() == {SET: Label.CLEAR}
    assert transactions.reactivate_previous(house.context.sessions) == shown[0].model_id
    assert queries.current_verdicts(house.context.sessions) == shown
    assert house.audit().passed


def test_a_candidates_message_that_an_active_worker_dropped_comes_again_later(house: House) -> None:
    """So docs/deploy.md gives `rescore` to the candidate's workers."""
    house.put("1.jpg", RED)
    house.ingest()
    house.answer()
    classifier = FixedClassifier(name="second")
    candidate = shadow(house, classifier.identity, POLICY)
    assert house.answer() == [None], "an active model's worker took it and dropped it"
    assert pipeline.reconcile(house.context).published == 0, "published within WALKAROUND_REPUBLISH_AFTER"
    later = replace(house.context, settings=load_settings(republish_after=0))
    assert pipeline.reconcile(later).published == 1
    ((work, queue),) = house.published
    assert (work.model_id, queue) == (candidate, "rescore")
    house.scoring = replace(house.scoring, model_id=candidate, classifier=classifier)
    assert house.answer() == [Finish.VERDICT]
    assert pipeline.reconcile(later).published == 0


def test_another_policy_over_the_same_weights_needs_no_photo(house: House) -> None:
    house.put("1.jpg", RED)
    house.put("2.jpg", GREEN)
    house.ingest()
    house.answer()
    candidate = shadow(house, house.scoring.classifier.identity, Policy(damaged_at=1.0, clear_below=1.0))
    house.store.remove(SET + "1.jpg")  # would be missed if any photo were asked for
    house.store.remove(SET + "2.jpg")
    assert house.answer() == [Finish.VERDICT], "by the workers that hold those weights already"
    with house.context.sessions() as session:
        stored = session.execute(text("SELECT label, model_id FROM verdict ORDER BY id")).all()
    assert [tuple(row) for row in stored] == [("damaged", 1), ("clear", candidate)]
    transactions.activate_model(house.context.sessions, candidate)
    for name, data in (("1.jpg", RED), ("2.jpg", GREEN), ("3.jpg", photo(50, seed=7))):
        house.put(name, data)
    house.ingest()
    assert house.answer() == [Finish.VERDICT], "fresh returns too, by the policy that is active now"
    assert house.labels() == {SET: Label.CLEAR}


def test_a_shadow_can_be_of_a_share_and_of_what_is_new(house: House) -> None:
    for number in range(40):
        key = f"returns/harbour/V-{number}/r1/"
        house.put("1.jpg", GREEN, key)
        house.ingest(key)
    house.published.clear()
    candidate = transactions.begin_shadow(house.context.sessions, FixedClassifier(name="second").identity, POLICY)
    assert open_shadow(house.context, candidate, since=datetime.now(UTC) + timedelta(days=1)) == 0
    some = open_shadow(house.context, candidate, share=0.25)
    assert 5 <= some <= 15
    assert open_shadow(house.context, candidate, share=0.25) == 0, "the same share"
    assert open_shadow(house.context, candidate) == 40 - some
    publish_due(house.context)
    assert len({work.set_id for work, _ in house.published}) == 40


def test_a_shadow_that_ended_is_published_no_more(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    candidate = shadow(house, FixedClassifier(name="second").identity, POLICY)
    at_once = timedelta(seconds=-1)
    assert [queue for _, queue in all_due(house.context.sessions, at_once)] == ["rescore"]
    transactions.end_shadow(house.context.sessions, candidate)
    assert all_due(house.context.sessions, at_once) == []
    with pytest.raises(PromotionRefused, match="gives the verdicts"):
        transactions.end_shadow(house.context.sessions, house.scoring.model_id)
    with pytest.raises(PromotionRefused, match="gives the verdicts already"):
        transactions.begin_shadow(house.context.sessions, house.scoring.classifier.identity, POLICY)


def test_the_active_models_work_is_published_before_a_candidates(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    candidate = shadow(house, FixedClassifier(name="second").identity, POLICY)
    third = transactions.register_model(house.context.sessions, FixedClassifier(name="third").identity, POLICY)
    transactions.activate_model(house.context.sessions, third)
    request_rescoring(house.context)
    due = transactions.due_work(house.context.sessions, Queue.RESCORE, 1, timedelta(seconds=-1))
    assert [work.model_id for work in due] == [third]
    assert third != candidate
