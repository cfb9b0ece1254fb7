"""Classifiers for worker processes under test: redness is damage, at a pace that leaves time for faults."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

import numpy as np

from core.domain import Classifier, ModelIdentity, Pixels, Score
from core.model.artefact import Artefact
from core.model.engine import Engine
from core.model.forward import Outputs
from core.model.inference import BatchingClassifier
from core.photos.sandbox.loader import ProcessPhotoLoader
from core.policy import Policy
from core.settings import Settings
from core.testing.fixed_classifier import CELLS, FixedClassifier
from db import transactions
from db.session import Sessions
from tests.unit.core.model.test_card import make_card
from workers.context import Scoring

POLICY = Policy(damaged_at=0.8, clear_below=0.5)
DECODER = "core.photos.decode:load_photo"
# A photo so much redder than green ends the process that scores it, as a fault in a device's native code would.
DEADLY_LOGIT = 100 / 8
DEVICE_HOLDS = 2  # views, before the device of `small_device` is out of memory


@dataclass(frozen=True)
class Behaviour:
    """What a worker's classifier is like; travels to its process as environment variables."""

    model: str = "first"
    bias: float = 0.0
    pace: float = 0.05
    small_device: bool = False
    device_breaks_after: int | None = None  # batches; only with `small_device`
    decoder: str = DECODER

    def environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads."""
        return {f"FAULTS_{name.upper()}": str(value) for name, value in vars(self).items()}

    @classmethod
    def from_environment(cls) -> "Behaviour":
        """What this process was started with."""
        breaks = os.environ["FAULTS_DEVICE_BREAKS_AFTER"] != "None"
        return cls(
            model=os.environ["FAULTS_MODEL"],
            bias=float(os.environ["FAULTS_BIAS"]),
            pace=float(os.environ["FAULTS_PACE"]),
            small_device=os.environ["FAULTS_SMALL_DEVICE"] == "True",
            device_breaks_after=int(os.environ["FAULTS_DEVICE_BREAKS_AFTER"]) if breaks else None,
            decoder=os.environ["FAULTS_DECODER"],
        )


class PacedClassifier(FixedClassifier):
    """A `FixedClassifier` that takes `pace` seconds a call, is a model of its own name, and adds `bias` to logits."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(name=behaviour.model)
        self._behaviour = behaviour

    @property
    def identity(self) -> ModelIdentity:
        """Weights of its own for each name."""
        return ModelIdentity(self._behaviour.model, sha256(self._behaviour.model.encode()).hexdigest(), "0" * 64)

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        """See `Classifier.classify`."""
        time.sleep(self._behaviour.pace)
        bias = self._behaviour.bias
        scores = super().classify(photos)
        return [Score(float(1 / (1 + np.exp(-s.logit - bias))), s.logit + bias, s.heatmap + bias) for s in scores]


def small_device(pace: float, breaks_after: int | None) -> BatchingClassifier:
    """The production classifier and engine on a device that holds `DEVICE_HOLDS` views and dies of very red ones.

    After `breaks_after` batches it fails for ever, as a GPU does that fell off its bus.
    """
    card = make_card(name="small-device", input={"size": 224, "tiles": 0})

    batches = count()

    def forward(views: Pixels) -> Outputs:
        if breaks_after is not None and next(batches) >= breaks_after:
            raise RuntimeError("CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure")
        time.sleep(pace)
        if len(views) > DEVICE_HOLDS:
            raise MemoryError("the device is out of memory")
        redness = (views[..., 0].astype(np.float64) - views[..., 1]) / 8
        maps = redness.reshape(len(views), CELLS, 32, CELLS, 32).mean(axis=(2, 4)).astype(np.float32)
        if maps.mean(axis=(1, 2)).max() > DEADLY_LOGIT:
            os.abort()
        constants, cells = np.zeros(len(views), np.float32), np.zeros((len(views), 0, 0, 0), np.float32)
        return maps.mean(axis=(1, 2)), maps, constants, maps.reshape(len(views), -1), cells

    artefact = Artefact(Path("unread"), card)
    return BatchingClassifier(artefact, batch_size=16, open_device=lambda: Engine(forward, batch_size=16))


def make_classifier(behaviour: Behaviour) -> Classifier:
    """The classifier that a process is to have."""
    if behaviour.small_device:
        return small_device(behaviour.pace, behaviour.device_breaks_after)
    return PacedClassifier(behaviour)


def make_scoring(settings: Settings, sessions: Sessions) -> Scoring:
    """Stands in for `workers.bootstrap.make_scoring`: all but the classifier is the real thing."""
    behaviour = Behaviour.from_environment()
    classifier = make_classifier(behaviour)
    model_id = transactions.register_model(sessions, classifier.identity, POLICY)
    transactions.activate_first_model(sessions, model_id)
    return Scoring(
        model_id=model_id,
        classifier=classifier,
        policy=POLICY,
        loader=ProcessPhotoLoader(
            settings.decode_processes,
            memory_limit_bytes=settings.decode_memory_mb * 2**20,
            timeout_s=settings.decode_timeout,
            decoder=behaviour.decoder,
        ),
        fetchers=ThreadPoolExecutor(2 * settings.concurrency, thread_name_prefix="fetch"),
    )
