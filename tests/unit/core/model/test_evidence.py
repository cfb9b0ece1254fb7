import numpy as np
import pytest

from core.model.evidence import AREA_FLOOR, Evidence, combine, map_evidence


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (5, 6, 6)).astype(np.float32)


def test_the_default_is_the_head_alone(maps: np.ndarray) -> None:
    head = np.arange(5.0)
    combined = combine(head, maps, Evidence(cells=3))
    np.testing.assert_array_equal(combined.logits, head)


def test_what_is_said_is_what_is_computed(maps: np.ndarray) -> None:
    evidence = Evidence(head=0.3, largest=0.7, cells=4, area=1.5, bias=-0.2)
    head = np.linspace(-2, 2, 5)
    combined = combine(head, maps, evidence)
    for y, values, logit in zip(head, maps.reshape(5, -1).astype(np.float64), combined.logits, strict=True):
        largest = np.sort(values)[-4:].mean()
        area = np.log((1 / (1 + np.exp(-values))).mean() + AREA_FLOOR)
        assert logit == pytest.approx(-0.2 + 0.3 * y + 0.7 * largest + 1.5 * area)
    np.testing.assert_allclose(combined.head * head + combined.constants, combined.logits)


def test_more_damage_is_more_evidence(maps: np.ndarray) -> None:
    before, after = map_evidence(maps, 4), map_evidence(maps + 1, 4)
    assert all((b > a).all() for a, b in zip(before, after, strict=True))
