"""`walkaround ...` with a model and a decoder that cost nothing: what is left is the queue, SQL and bookkeeping.

Settings, verdict policy and all code but the network and the decoding are the real ones. Each content gets a perceptual
hash of its own, from its bytes; the pixels are as few as a heat map has cells, and all photos are as undamaged.
"""

import hashlib

import numpy as np

from cli import main
from core.domain import LoadedPhoto, Quality, ViewPlan
from core.model.artefact import open_artefact
from core.settings import SHIPPED_MODEL, Settings
from core.testing.fixed_classifier import CELLS, FixedClassifier
from db import transactions
from db.session import Sessions
from workers import bootstrap
from workers.bootstrap import make_fetchers
from workers.context import Scoring

_QUALITY = Quality(sharpness=300.0, brightness=120.0, dark_share=0.01, bright_share=0.01, contrast=55.0)
_UNDAMAGED = np.array((100, 124, 128), np.uint8)  # a logit of -3


class FreeLoader:
    """A `PhotoLoader` whose pixels lie ready; the perceptual hash comes from the bytes, and no two are alike."""

    def __init__(self, plan: ViewPlan) -> None:
        self._views = np.broadcast_to(_UNDAMAGED, (plan.count, plan.size, plan.size, 3)).copy()

    def load(self, data: bytes, plan: ViewPlan) -> LoadedPhoto:
        """See `PhotoLoader.load`."""
        phash = hashlib.sha256(data).hexdigest()
        return LoadedPhoto(self._views, 4000, 3000, "JPEG", None, _QUALITY, phash)

    def close(self) -> None:
        """Nothing to end."""


def free_scoring(settings: Settings, sessions: Sessions) -> Scoring:
    """Stands in for `workers.bootstrap.make_scoring`."""
    policy, plan = open_artefact(SHIPPED_MODEL).card.policy, ViewPlan(size=CELLS)
    classifier = FixedClassifier(plan)
    model_id = transactions.register_model(sessions, classifier.identity, policy)
    transactions.activate_first_model(sessions, model_id)
    return Scoring(
        model_id=model_id,
        classifier=classifier,
        policy=policy,
        loader=FreeLoader(plan),
        fetchers=make_fetchers(settings),
    )


if __name__ == "__main__":
    bootstrap.make_scoring = free_scoring
    main.main()
