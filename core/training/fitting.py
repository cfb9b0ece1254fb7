"""The rule that a model's card carries, fitted on photos its weights never saw: false alarms, and what a vehicle is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.canonical import sha256_of
from core.errors import DatasetInvalid
from core.model.artefact import Artefact
from core.model.card import Card, Fitted
from core.model.vehicle import DIRECTIONS, fit_vehicle_space, unseen_distances
from core.policy import AuditSample, FalseAlarms, IntactPhotos, Policy
from core.training.dataset import Sample
from core.training.evaluation import in_batches, views_of

Floats = NDArray[np.floating]

# Where counting ends and the exponential tail begins: the most suspicious quarter of intact photos.
TAIL_SHARE = 0.25
_LEVELS = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
# Fewer photos than this do not show a tail.
LEAST_INTACT = 100
# Of photos of vehicles this share is flagged as showing something else.
FLAGGED_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Rates:
    """What a person chooses: shares of intact returns called damaged, and not called clear; of clear ones sampled."""

    damaged: float = 0.05
    undecided: float = 0.5
    audit: float = 0.05


@dataclass(frozen=True, slots=True)
class ModelOutputs:
    """What a model says of labelled photos: calibrated logits (n,), and pooled features of the whole photos (n, f)."""

    logits: NDArray[np.float64]
    features: NDArray[np.float32]


def run_model(
    artefact: Artefact, samples: Sequence[Sample], advance: Callable[[int], object] = lambda _: None
) -> ModelOutputs:
    """Run the model over every sample as serving does. Raises `PhotoRefused`, `DatasetInvalid`, `ModelUnusable`."""
    from core.model.engine import load_engine
    from core.model.inference import photo_evidence

    engine, card = load_engine(artefact), artefact.card
    logits, features = [], []
    for batch in in_batches(samples):
        outputs = engine.run(np.concatenate([views_of(sample, card) for sample in batch]))
        _, combined = photo_evidence(outputs, card)
        logits.append(combined.logits / card.temperature)
        features.append(outputs.features[:: card.input.plan.count])
        advance(len(batch))
    return ModelOutputs(np.concatenate(logits), np.concatenate(features))


def fit(
    card: Card, samples: Sequence[Sample], outputs: ModelOutputs, rates: Rates = Rates(), view: str = "part"
) -> Fitted:
    """The rule for this model, from photos its weights never saw (the validation split).

    False alarms are counted against intact photos of one `view`: close-ups by default, which look most suspicious, so
    that the rates hold for returns of close-ups and are smaller for others; serving does not know what a photo shows.
    The seed of the audit's sample is drawn from the weights' hash. Raises `DatasetInvalid` for too few such photos.
    """
    wanted = np.array([not sample.damaged and view in ("all", sample.view) for sample in samples])
    if wanted.sum() < LEAST_INTACT:
        raise DatasetInvalid(
            f"only {wanted.sum()} intact photos of view {view!r}: at least {LEAST_INTACT} are needed to see how rare "
            "false alarms are; give more photos, or --view all"
        )
    groups = np.array([sample.group for sample in samples])
    distances = unseen_distances(outputs.features, groups)
    bare = card.model_copy(update={"fitted": None}).policy
    policy = Policy(
        damaged_at=bare.damaged_at,
        clear_below=bare.clear_below,
        false_alarms=FalseAlarms(
            damaged_rate=rates.damaged, undecided_rate=rates.undecided, intact=fit_intact(outputs.logits[wanted])
        ),
        vehicle_within=round(float(np.quantile(distances, 1.0 - FLAGGED_SHARE)), 6),
        audit=AuditSample(share=rates.audit, seed=int(sha256_of(card.weights_sha256)[:8], 16)),
    )
    space = fit_vehicle_space(outputs.features, DIRECTIONS)
    return Fitted(policy=policy, vehicle=space, photos=len(samples), intact=int(wanted.sum()), view=view)


def fit_intact(logits: Floats) -> IntactPhotos:
    """Levels counted, and beyond the last an exponential tail by its maximum likelihood: the mean excess."""
    levels = [(share, float(np.quantile(logits, 1.0 - share))) for share in (*_LEVELS, TAIL_SHARE)]
    start = levels[-1][1]
    scale = float(np.mean(logits[logits > start] - start))
    return IntactPhotos(
        photos=len(logits),
        levels=tuple((share, round(logit, 6)) for share, logit in levels),
        tail_scale=round(scale, 6),
    )
