"""What an epoch draws: views weighted so that source, framing, size and compression hardly tell the label."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.str_]
Weights = NDArray[np.float64]
Truth = NDArray[np.bool_]
ROUNDS = 200
LIMIT = 6.0  # a view is drawn at most so many times as often as the mean


def balance(damaged: Truth, attributes: Mapping[str, Keys], plain: float, limit: float = LIMIT) -> Weights:
    """Weights (n,), their mean 1, under which every value of every attribute is about as often damaged as intact.

    Iterative proportional fitting; values seen with one label alone fade. Of each label a share `plain` is drawn as if
    nothing were balanced, so that they stay.
    """
    weights = np.ones(len(damaged))
    for _ in range(ROUNDS):
        for keys in attributes.values():
            weights = _even(weights, damaged, keys)
        weights = np.minimum(_even_labels(weights, damaged), limit)
    balanced, unchanged = (_even_labels(part, damaged) for part in (weights, np.ones(len(damaged))))
    return (1.0 - plain) * balanced + plain * unchanged


def _even(weights: Weights, damaged: Truth, keys: Keys) -> Weights:
    """Both labels of each value that has both weigh the same: the geometric mean of what they weighed."""
    evened = weights.copy()
    for key in np.unique(keys):
        parts = [(keys == key) & (damaged == label) for label in (False, True)]
        masses = [float(weights[part].sum()) for part in parts]
        if min(masses) > 0:
            for part, mass in zip(parts, masses, strict=True):
                evened[part] *= np.sqrt(masses[0] * masses[1]) / mass
    return evened


def _even_labels(weights: Weights, damaged: Truth) -> Weights:
    """Each label has half of the weight; the mean is 1."""
    evened = weights.copy()
    for label in (False, True):
        evened[damaged == label] *= len(weights) / 2 / weights[damaged == label].sum()
    return evened


def draw_epoch(weights: Weights, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices of `count` views, each drawn in proportion to its weight, spread as evenly as can be (systematic)."""
    steps = (np.arange(count) + rng.random()) / count
    shuffled = rng.permutation(len(weights))
    bounds = np.cumsum(weights[shuffled] / weights.sum())
    drawn = shuffled[np.minimum(np.searchsorted(bounds, steps), len(weights) - 1)]
    return rng.permutation(drawn)


def telling(damaged: Truth, attributes: Mapping[str, Keys], weights: Weights) -> float:
    """AUROC of a logistic regression on all attributes at once, over views weighted as an epoch draws them.

    Fitted and judged on the same views: what the attributes can tell at most, 0.5 where they tell nothing.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    columns = [keys[:, None] == np.unique(keys)[None, :] for keys in attributes.values()]
    table = np.concatenate(columns, axis=1).astype(np.float64)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(table, damaged, sample_weight=weights)
    return float(roc_auc_score(damaged, fitted.decision_function(table), sample_weight=weights))
