import numpy as np
import pytest

from core.model.outline_branch import KINDS
from core.training.outline_loss import cell_loss, evidence, kind_loss
from core.training.outlines import CHANNELS, UNCERTAIN


@pytest.fixture
def known() -> np.ndarray:
    """One view with its left half damaged, one without damage."""
    known = np.zeros((2, 8, 8, CHANNELS), np.uint8)
    known[0, :, :4, 0] = 255
    return known


def logits_of(known: np.ndarray, strength: float) -> np.ndarray:
    logits = np.zeros((*known.shape[:3], 1 + len(KINDS)), np.float32)
    logits[..., 0] = np.where(known[..., 0] > 0, strength, -strength)
    return logits


BOTH = np.ones(2, np.float32)


def test_the_right_map_costs_nothing_and_the_opposite_much(known: np.ndarray) -> None:
    for strength, least, most in ((12.0, 0.0, 0.01), (-12.0, 10.0, 13.0)):
        crossing, dice = cell_loss(logits_of(known, strength), known, BOTH)
        assert least <= float(crossing) <= most
        assert (float(dice) < 0.05) == (strength > 0)


def test_views_whose_damage_is_not_mapped_do_not_count(known: np.ndarray) -> None:
    logits = logits_of(known, 12.0)
    logits[1] = 12.0
    crossing, _ = cell_loss(logits, known, np.array([1, 0], np.float32))
    assert float(crossing) < 0.01


def test_a_box_counts_less(known: np.ndarray) -> None:
    sure, _ = cell_loss(logits_of(known, -1.0), known, BOTH)
    known[0, :, :4, UNCERTAIN] = 255
    unsure, _ = cell_loss(logits_of(known, -1.0), known, BOTH)
    assert float(unsure) < float(sure)


def test_kinds_are_learnt_only_where_they_are_named(known: np.ndarray) -> None:
    logits = logits_of(known, 1.0)
    assert float(kind_loss(logits, known)) == 0.0
    known[0, :, :4, 1 + KINDS.index("dent")] = 255
    before = float(kind_loss(logits, known))
    logits[..., 1:] = -9.0
    logits[..., 1 + KINDS.index("dent")] = 9.0
    assert float(kind_loss(logits, known)) < 0.01 < before


def test_evidence_is_the_mean_of_the_largest_cells() -> None:
    logits = np.zeros((1, 56, 56, 1 + len(KINDS)), np.float32)
    logits[0, :16, :16, 0] = 5.0
    assert float(evidence(logits)[0]) == pytest.approx(5.0)
