"""From logits to probabilities that mean what they say, and to thresholds that keep what they promise.

All is fitted on validation. A temperature keeps every decision at 0.5 and repairs the confidence (Guo et al., 2017).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.model.card import OperatingPoint
from core.model.pooling import Pooling

Floats = NDArray[np.floating]
Truth = NDArray[np.bool_]
STATED_RECALLS = (0.9, 0.95, 0.98, 0.99)


def log_loss(logits: Floats, damaged: Truth) -> float:
    """Mean negative log likelihood of the truth, in nats."""
    signs = np.where(damaged, 1.0, -1.0)
    return float(np.logaddexp(0.0, -signs * np.asarray(logits, dtype=np.float64)).mean())


def probabilities(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Calibrated probability of damage, shape as `logits`."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64) / temperature)))


def fit_temperature(logits: Floats, damaged: Truth) -> float:
    """The temperature in 0.05..20 of the smallest log loss, to a thousandth; the loss has one minimum."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_temperature: log_loss(logits / np.exp(log_temperature), damaged),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(found.x))


def fit_pooling(view_logits: Floats, damaged: Truth) -> Pooling:
    """Weights of the whole photo's logit and of its tiles' greatest and mean one, by logistic regression.

    `view_logits` is (photos, views), the whole photo first. With one view nothing is fitted.
    """
    from sklearn.linear_model import LogisticRegression

    if view_logits.shape[1] == 1:
        return Pooling()
    tiles = view_logits[:, 1:]
    evidence = np.stack([view_logits[:, 0], tiles.max(axis=1), tiles.mean(axis=1)], axis=1)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(evidence, damaged)
    whole, tile_max, tile_mean = (float(weight) for weight in fitted.coef_[0])
    return Pooling(whole=whole, tile_max=tile_max, tile_mean=tile_mean, bias=float(fitted.intercept_[0]))


def operating_points(
    probability: Floats, damaged: Truth, recalls: Sequence[float] = STATED_RECALLS
) -> tuple[OperatingPoint, ...]:
    """For each stated recall the highest threshold that reaches it on these photos."""
    positives = np.sort(probability[damaged])
    points = []
    for recall in recalls:
        missed = int(np.floor(round((1.0 - recall) * len(positives), 9)))
        threshold = float(positives[missed])
        points.append(
            OperatingPoint(
                threshold=threshold,
                recall=float((positives >= threshold).mean()),
                specificity=float((probability[~damaged] < threshold).mean()),
            )
        )
    return tuple(points)
