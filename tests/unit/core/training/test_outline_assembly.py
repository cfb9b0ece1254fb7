import numpy as np
import pytest

from core.model.evidence import combine
from core.training.calibration import log_loss
from core.training.outline_assembly import Maps, fit_evidence


def maps(damaged: np.ndarray, seen: bool, head: np.ndarray) -> Maps:
    """Maps of noise, with a small bright spot in damaged photos where the branch has `seen` them."""
    rng = np.random.default_rng(0)
    damage = rng.normal(-4, 1, (len(damaged), 16, 16)).astype(np.float32)
    if seen:
        damage[damaged, 3:6, 3:6] += 5
    return Maps(head, damage)


@pytest.fixture
def damaged() -> np.ndarray:
    return np.array([number % 3 == 0 for number in range(300)])


def test_the_map_decides_where_it_knows_more(damaged: np.ndarray) -> None:
    head = np.random.default_rng(1).normal(0, 2, 300)
    evidence = fit_evidence(maps(damaged, True, head), damaged, ["one"] * 300)
    assert evidence.largest + evidence.area > 0
    logits = combine(head, maps(damaged, True, head).damage, evidence).logits
    assert ((logits > 0) == damaged).mean() > 0.98
    assert log_loss(logits, damaged) < 0.2


def test_the_head_decides_where_the_map_says_nothing(damaged: np.ndarray) -> None:
    head = np.where(damaged, 2.0, -2.0) + np.random.default_rng(1).normal(0, 1, 300)
    evidence = fit_evidence(maps(damaged, False, head), damaged, ["one"] * 300)
    assert evidence.head > 0.5
    assert evidence.head * 4 > 10 * evidence.largest


def test_what_would_count_against_damage_is_left_out(damaged: np.ndarray) -> None:
    head = np.where(damaged, -2.0, 2.0) + np.random.default_rng(1).normal(0, 1, 300)
    assert fit_evidence(maps(damaged, True, head), damaged, ["one"] * 300).head == 0.0


def test_every_set_counts_the_same_however_large(damaged: np.ndarray) -> None:
    head = np.random.default_rng(1).normal(0, 1, 300) + np.where(damaged, 1, -1)
    head[:30] = np.where(damaged[:30], 1.0, -1.0) - 3  # a small set in which the head is too low by 3
    parts = ["small"] * 30 + ["large"] * 270
    blind = maps(damaged, False, head)
    even = fit_evidence(blind, damaged, parts)
    pooled = fit_evidence(blind, damaged, ["one"] * 300)
    assert even.bias > pooled.bias
