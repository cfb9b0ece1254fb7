"""The classifier for tests: redness is damage, and its heat map adds up to its logit."""

import numpy as np
import pytest

from core.domain import Pixels, ViewPlan
from core.errors import ModelFailed, PhotoRefused
from core.testing.fixed_classifier import FixedClassifier


def photo(red: int, green: int) -> Pixels:
    pixels = np.zeros((1, 224, 224, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = red, green
    return pixels


def test_redness_is_damage() -> None:
    red, green = FixedClassifier().classify([photo(120, 80), photo(80, 120)])
    assert red.probability > 0.9
    assert green.probability < 0.1
    assert red.logit == pytest.approx(float(red.heatmap.mean()), abs=1e-6) == pytest.approx(5.0)


def test_poison_is_refused_and_a_closed_one_fails() -> None:
    classifier = FixedClassifier(ViewPlan())
    poison = np.zeros((1, 224, 224, 3), np.uint8) + np.array(FixedClassifier.POISON, np.uint8)
    with pytest.raises(PhotoRefused, match="poison"):
        classifier.classify([poison])
    classifier.close()
    with pytest.raises(ModelFailed):
        classifier.classify([photo(1, 1)])


def test_its_name_is_its_identity() -> None:
    assert FixedClassifier(name="a").identity.scores_as(FixedClassifier(name="a").identity)
    assert not FixedClassifier(name="a").identity.scores_as(FixedClassifier(name="b").identity)
