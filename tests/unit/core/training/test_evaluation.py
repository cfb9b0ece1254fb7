import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DatasetInvalid
from core.model.card import Card, Thresholds
from core.training.dataset import Sample
from core.training.evaluation import as_json, evaluate, judge_sets
from core.training.measures import auroc, calibration_error, measure
from core.training.pointing import inside, points_at_damage, read_outlined


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


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_chance_that_a_damaged_photo_ranks_higher(pairs: list[tuple[float, bool]]) -> None:
    probability = np.array([p for p, _ in pairs])
    damaged = np.array([y for _, y in pairs])
    if damaged.all() or not damaged.any():
        assert np.isnan(auroc(probability, damaged))
        return
    wins = [(a > b) + 0.5 * (a == b) for a in probability[damaged] for b in probability[~damaged]]
    assert auroc(probability, damaged) == pytest.approx(np.mean(wins))


def test_calibration_error_of_the_honest_and_of_the_boaster() -> None:
    damaged = np.array([True] * 7 + [False] * 3)
    assert calibration_error(np.full(10, 0.7), damaged) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(np.ones(10), damaged) == pytest.approx(0.3)


def test_figures_and_their_intervals() -> None:
    rng = np.random.default_rng(0)
    damaged = np.arange(400) % 2 == 0
    probability = np.where(rng.random(400) < 0.9, damaged, ~damaged) * 0.8 + 0.1
    figures = measure(probability, damaged, 0.5)
    assert (figures.photos, figures.damaged) == (400, 200)
    accuracy = figures.measures["accuracy"]
    assert accuracy.low < accuracy.value < accuracy.high
    assert accuracy.high - accuracy.low == pytest.approx(2 * 1.96 * np.sqrt(0.9 * 0.1 / 400), rel=0.25)
    assert figures.measures["recall"].value == pytest.approx((probability[damaged] >= 0.5).mean())


def test_a_group_of_one_label_has_no_figures_that_need_both() -> None:
    figures = measure(np.array([0.2, 0.9]), np.array([True, True]), 0.5)
    assert {"auroc", "specificity"}.isdisjoint(figures.measures)
    assert figures.measures["recall"].value == 0.5


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


def write_outlines(folder: Path) -> Path:
    square = [[10, 10], [50, 10], [50, 50], [10, 50]]
    items = [
        {
            "file": "a.jpg",
            "width": 100,
            "height": 200,
            "polygons": [square],
            "union_area_frac": 0.08,
            "source_repo": "x",
        },
        {"file": "b.jpg", "width": 100, "height": 200, "polygons": [], "union_area_frac": 0.009, "source_repo": "x"},
    ]
    path = folder / "masks.json"
    path.write_text(json.dumps({"items": items}))
    return path


def test_only_damage_of_one_percent_is_pointed_at(tmp_path: Path) -> None:
    (outlined,) = read_outlined(write_outlines(tmp_path))
    assert outlined.sample.path == tmp_path / "a.jpg"
    assert inside(outlined, 0.3, 0.15)
    assert not inside(outlined, 0.6, 0.15)
    assert not inside(outlined, 0.3, 0.3)


def test_a_map_points_with_its_highest_cell(tmp_path: Path) -> None:
    (outlined,) = read_outlined(write_outlines(tmp_path))
    heatmap = np.zeros((7, 7), np.float32)
    heatmap[1, 2] = 1.0  # x 0.36, y 0.21: inside
    assert points_at_damage(heatmap, outlined)
    heatmap[5, 2] = 2.0
    assert not points_at_damage(heatmap, outlined)


def test_outlines_that_are_none_say_so(tmp_path: Path) -> None:
    (tmp_path / "masks.json").write_text("[]")
    with pytest.raises(DatasetInvalid, match="outlines"):
        read_outlined(tmp_path / "masks.json")
