"""A model judged on labelled photos: overall, per source, per view, per photo set, and by the worst mistakes."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.domain import Pixels, Score
from core.model.artefact import Artefact
from core.model.card import Card, MetricSet
from core.model.precision import Precision
from core.photos.decode import make_views, min_side_for
from core.training.dataset import Sample
from core.training.measures import measure, measure_by

PHOTOS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class SetFigures:
    """Photo sets judged by their worst photo: those with damage, those found, those without, false alarms."""

    damaged: int
    found: int
    intact: int
    false_alarms: int
    threshold: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a model said of every sample, and what that comes to. `sets` is there where photos form sets."""

    card: Card
    samples: tuple[Sample, ...]
    probability: NDArray[np.float64] = field(repr=False)
    overall: MetricSet
    by_source: dict[str, MetricSet]
    by_view: dict[str, MetricSet]
    sets: tuple[SetFigures, ...] = ()

    @property
    def damaged(self) -> NDArray[np.bool_]:
        """The truth, photo by photo."""
        return np.array([sample.damaged for sample in self.samples])

    def worst(self, count: int) -> list[int]:
        """Indices of the most confident mistakes, worst first."""
        error = np.where(self.damaged, 1.0 - self.probability, self.probability)
        wrong = (self.probability >= self.card.thresholds.photo) != self.damaged
        order = np.argsort(-error)
        return [int(index) for index in order if wrong[index]][:count]


def score_samples(
    artefact: Artefact,
    samples: Sequence[Sample],
    advance: Callable[[int], object] = lambda _: None,
    precision: Precision = "auto",
) -> list[Score]:
    """Score every sample as serving does. Raises `PhotoRefused`, `DatasetInvalid`, `ModelUnusable`."""
    from core.model.engine import load_engine
    from core.model.inference import score_photos

    engine = load_engine(artefact, precision=precision)
    scores: list[Score] = []
    for batch in in_batches(samples):
        scores += score_photos(engine, [views_of(sample, artefact.card) for sample in batch], artefact.card)
        advance(len(batch))
    return scores


def view_logits(
    artefact: Artefact, samples: Sequence[Sample], advance: Callable[[int], object] = lambda _: None
) -> NDArray[np.float64]:
    """The logit of every view before pooling and temperature, (samples, views): what calibration is fitted on."""
    from core.model.engine import load_engine

    engine = load_engine(artefact)
    parts = []
    for batch in in_batches(samples):
        views = np.concatenate([views_of(sample, artefact.card) for sample in batch])
        parts.append(engine.run(views).logits.astype(np.float64).reshape(len(batch), -1))
        advance(len(batch))
    return np.concatenate(parts)


def views_of(sample: Sample, card: Card) -> Pixels:
    """The views the model wants of a sample."""
    plan = card.input.plan
    return make_views(sample.pixels(min_side_for(plan)), plan)


def in_batches(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """The samples, as many at a time as fit the memory."""
    for start in range(0, len(samples), PHOTOS_AT_ONCE):
        yield samples[start : start + PHOTOS_AT_ONCE]


def evaluate(card: Card, samples: Sequence[Sample], probability: NDArray[np.float64], *, sets: bool) -> Evaluation:
    """Measure probabilities of `samples`; with `sets`, a sample's group is its photo set and sets are judged too."""
    damaged = np.array([sample.damaged for sample in samples])
    threshold = card.thresholds.photo
    thresholds = sorted({threshold, 0.5, *(point.threshold for point in card.thresholds.points)})
    groups = [sample.group for sample in samples]
    return Evaluation(
        card=card,
        samples=tuple(samples),
        probability=probability,
        overall=measure(probability, damaged, threshold),
        by_source=measure_by([sample.source for sample in samples], probability, damaged, threshold),
        by_view=measure_by([sample.view for sample in samples], probability, damaged, threshold),
        sets=tuple(judge_sets(groups, probability, damaged, value) for value in thresholds) if sets else (),
    )


def judge_sets(
    groups: Sequence[str], probability: NDArray[np.float64], damaged: NDArray[np.bool_], threshold: float
) -> SetFigures:
    """A set is called damaged where its highest probability reaches the threshold, and is where any photo is."""
    highest: dict[str, float] = defaultdict(float)
    truth: dict[str, bool] = defaultdict(bool)
    for group, value, label in zip(groups, probability, damaged, strict=True):
        highest[group] = max(highest[group], float(value))
        truth[group] = truth[group] or bool(label)
    called = {group: value >= threshold for group, value in highest.items()}
    return SetFigures(
        damaged=sum(truth.values()),
        found=sum(called[group] for group, label in truth.items() if label),
        intact=sum(not label for label in truth.values()),
        false_alarms=sum(called[group] for group, label in truth.items() if not label),
        threshold=threshold,
    )


def as_json(evaluation: Evaluation) -> dict[str, object]:
    """The evaluation as plain JSON: `photos` holds file, probability and threshold of each."""
    threshold = evaluation.card.thresholds.photo
    return {
        "model": {"name": evaluation.card.name, "weights_sha256": evaluation.card.weights_sha256},
        "photos": [
            {"file": sample.name, "probability": round(float(value), 6), "threshold": threshold}
            for sample, value in zip(evaluation.samples, evaluation.probability, strict=True)
        ],
        "overall": evaluation.overall.model_dump(),
        "by_source": {name: figures.model_dump() for name, figures in evaluation.by_source.items()},
        "by_view": {name: figures.model_dump() for name, figures in evaluation.by_view.items()},
        "sets": [
            {name: getattr(figures, name) for name in SetFigures.__dataclass_fields__} for figures in evaluation.sets
        ],
    }
