"""A classifier for tests: answers at once, always the same, and needs no TensorFlow."""

import hashlib
from collections.abc import Sequence

import numpy as np

from core.domain import ModelIdentity, Pixels, Score, ViewPlan
from core.errors import ModelFailed, PhotoRefused, Refusal
from core.model.inference import check_photos

CELLS = 7


class FixedClassifier:
    """A `Classifier` for which redness is damage: its logit is the mean of (red - green) / 8 over the whole photo.

    The heat map's cells are those means by place, so they add up to the logit as a real model's do. A photo whose
    whole view is nothing but `POISON` is refused, as by a model that fails on it.
    """

    POISON = (1, 2, 3)

    def __init__(self, plan: ViewPlan | None = None, name: str = "fixed") -> None:
        self._plan = plan or ViewPlan()
        self._name = name
        self._closed = False

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is: the name alone, also in the place of its weights."""
        return ModelIdentity(self._name, hashlib.sha256(self._name.encode()).hexdigest(), "0" * 64)

    @property
    def plan(self) -> ViewPlan:
        """The views it was made for."""
        return self._plan

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        """See `Classifier.classify`."""
        check_photos(photos, self._plan)
        if self._closed:
            raise ModelFailed("the classifier is closed")
        return [self._score(photo[0]) for photo in photos]

    def warm_up(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Refuse photos from now on."""
        self._closed = True

    def _score(self, pixels: Pixels) -> Score:
        if (pixels == self.POISON).all():
            raise PhotoRefused(Refusal.CLASSIFIER_FAILED, "poison")
        side = pixels.shape[0] // CELLS * CELLS
        redness = (pixels[:side, :side, 0].astype(np.float64) - pixels[:side, :side, 1]) / 8
        heatmap = redness.reshape(CELLS, side // CELLS, CELLS, side // CELLS).mean(axis=(1, 3))
        logit = float(heatmap.mean())
        return Score(float(1 / (1 + np.exp(-logit))), logit, heatmap.astype(np.float32))
