"""How good a model is on labelled photos: each figure with its 95 % interval, from resampling the photos."""

from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from core.model.card import Measure, MeasureName, MetricSet

Floats = NDArray[np.floating]
Truth = NDArray[np.bool_]
BINS = 10
RESAMPLES = 1000


def measure(probability: Floats, damaged: Truth, threshold: float, seed: int = 0) -> MetricSet:
    """All figures; those that need both labels are left out where one is absent.

    Intervals are percentiles of 1,000 bootstrap resamples of the photos (fewer labels than two in a resample: skipped).
    """
    rng = np.random.default_rng(seed)
    count = len(damaged)
    draws = rng.integers(0, count, (RESAMPLES, count))
    measures: dict[MeasureName, Measure] = {}
    for name in get_args(MeasureName):
        value = _MEASURES[name](probability, damaged, threshold)
        if np.isnan(value):
            continue
        resampled = np.array([_MEASURES[name](probability[draw], damaged[draw], threshold) for draw in draws])
        low, high = np.nanpercentile(resampled, [2.5, 97.5])
        measures[name] = Measure(value=round(value, 6), low=round(float(low), 6), high=round(float(high), 6))
    return MetricSet(photos=count, damaged=int(damaged.sum()), measures=measures)


def measure_by(keys: Sequence[str], probability: Floats, damaged: Truth, threshold: float) -> dict[str, MetricSet]:
    """`measure` for each distinct key on its own, in alphabetical order."""
    names = np.array(keys)
    return {str(key): measure(probability[names == key], damaged[names == key], threshold) for key in sorted(set(keys))}


def auroc(probability: Floats, damaged: Truth) -> float:
    """Area under the ROC curve by ranks, ties counted half; NaN where one label is absent."""
    positives = int(damaged.sum())
    negatives = len(damaged) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(probability, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    return float((ranks[damaged].sum() - positives * (positives + 1) / 2.0) / (positives * negatives))


def recall_at(specificity: float, scores: Floats, damaged: Truth) -> float:
    """The share of damaged photos above what this share of the intact ones does not exceed; NaN without both."""
    if damaged.all() or not damaged.any():
        return float("nan")
    return float((scores[damaged] > np.quantile(scores[~damaged], specificity)).mean())


def calibration_error(probability: Floats, damaged: Truth) -> float:
    """Expected calibration error: mean gap between the probability of damage and its frequency in ten equal bins."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    gaps = np.abs(
        np.bincount(bins, weights=probability, minlength=BINS)
        - np.bincount(bins, weights=damaged.astype(np.float64), minlength=BINS)
    )
    return float(gaps.sum() / max(1, counts.sum()))


def _loss(probability: Floats, damaged: Truth) -> float:
    truth = np.where(damaged, probability, 1.0 - probability)
    return float(-np.log(np.clip(truth, 1e-12, None)).mean())


def _share(hits: Truth) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


_MEASURES: dict[MeasureName, Callable[[Floats, Truth, float], float]] = {
    "accuracy": lambda p, y, t: _share((p >= t) == y),
    "recall": lambda p, y, t: _share(p[y] >= t),
    "specificity": lambda p, y, t: _share(p[~y] < t),
    "auroc": lambda p, y, _: auroc(p, y),
    "recall_at_specificity_90": lambda p, y, _: recall_at(0.9, p, y),
    "loss": lambda p, y, _: _loss(p, y),
    "expected_calibration_error": lambda p, y, _: calibration_error(p, y),
}
