"""`walkaround ...` with a model and a decoder that cost nothing: what is left is the queue, SQL and bookkeeping.

Settings, verdict policy, shapes and all code but the network and the decoding are the real ones. Each content gets a
score, a heat map and a perceptual hash of its own, from its bytes.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from core.domain import LoadedPhoto, ModelIdentity, Pixels, Quality, Score, ViewPlan
from core.model.artefact import open_artefact
from core.settings import SHIPPED_MODEL, Settings
from db import repositories
from db.session import Sessions
from workers import cli, context
from workers.context import Scoring

_QUALITY = Quality(sharpness=300.0, brightness=120.0, dark_share=0.01, bright_share=0.01, contrast=55.0)
_SIDE = 7


class FreeClassifier:
    """A `Classifier` of the shipped model's identity and shapes whose answers lie ready."""

    def __init__(self, identity: ModelIdentity, plan: ViewPlan) -> None:
        self._identity, self._plan = identity, plan
        self._heatmap = np.linspace(-1, 1, _SIDE * _SIDE, dtype=np.float32).reshape(_SIDE, _SIDE)

    @property
    def identity(self) -> ModelIdentity:
        """The shipped model's."""
        return self._identity

    @property
    def plan(self) -> ViewPlan:
        """The shipped model's."""
        return self._plan

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        """See `Classifier.classify`."""
        return [Score(0.05, -2.9, self._heatmap, 0.1) for _ in photos]

    def warm_up(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to let go."""


class FreeLoader:
    """A `PhotoLoader` whose pixels lie ready; the perceptual hash comes from the bytes, and no two are alike."""

    def __init__(self, plan: ViewPlan) -> None:
        self._views = np.full((plan.count, plan.size, plan.size, 3), 128, np.uint8)

    def load(self, data: bytes, plan: ViewPlan) -> LoadedPhoto:
        """See `PhotoLoader.load`."""
        likeness = hashlib.sha256(data).hexdigest()
        return LoadedPhoto(self._views, 4000, 3000, "JPEG", None, _QUALITY, likeness)

    def close(self) -> None:
        """Nothing to end."""


def free_scoring(settings: Settings, sessions: Sessions) -> Scoring:
    """Stands in for `workers.context.make_scoring`."""
    card = open_artefact(SHIPPED_MODEL).card
    model_id = repositories.register_model(sessions, card.identity, card.policy)
    repositories.activate_first_model(sessions, model_id)
    return Scoring(
        model_id=model_id,
        classifier=FreeClassifier(card.identity, card.input.plan),
        policy=card.policy,
        loader=FreeLoader(card.input.plan),
        fetchers=ThreadPoolExecutor(2 * settings.concurrency, thread_name_prefix="fetch"),
    )


if __name__ == "__main__":
    context.make_scoring = free_scoring
    cli.main()
