import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.model.card import Card, Thresholds
from core.training.dataset import Sample
from core.training.evaluation import as_json, evaluate, judge_sets


@pytest.fixture
def card() -> Card:
    return Card(
        name="tried",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        preprocessing="imagenet-bgr-2",
        thresholds=Thresholds(photo=0.6),
        weights_sha256="0" * 64,
        parameters=1,
    )


def sample(number: int, damaged: bool, group: str = "g", source: str = "here") -> Sample:
    return Sample(Path(f"{number}.jpg"), f"{number}.jpg", damaged, "test", group, source)


def test_a_set_is_judged_by_its_worst_photo() -> None:
    groups = ["a", "a", "b", "b", "c", "c"]
    probability = np.array([0.1, 0.9, 0.2, 0.3, 0.1, 0.8])
    damaged = np.array([False, True, True, False, False, False])
    figures = judge_sets(groups, probability, damaged, 0.5)
    assert (figures.damaged, figures.found) == (2, 1)
    assert (figures.intact, figures.false_alarms) == (1, 1)


def test_an_evaluation_counts_by_its_cards_threshold_and_names_the_worst_mistakes(card: Card) -> None:
    samples = [sample(0, True), sample(1, True, source="there"), sample(2, False), sample(3, False)]
    evaluation = evaluate(card, samples, np.array([0.9, 0.55, 0.7, 0.99]), sets=False)
    assert evaluation.overall.measures["accuracy"].value == 0.25
    assert evaluation.by_source["there"].photos == 1
    assert evaluation.worst(5) == [3, 2, 1]
    assert evaluation.sets == ()
    written = json.loads(json.dumps(as_json(evaluation)))
    assert written["photos"][0] == {"file": "0.jpg", "probability": 0.9, "threshold": 0.6}
