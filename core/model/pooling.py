"""How the logits of a photo's views become the photo's one logit: declarative, versioned, part of the card."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Floats = NDArray[np.float64]


class Pooling(BaseModel):
    """Version 1 of the rule, with y0 the logit of the whole photo and y those of its tiles.

    bias + whole * y0 + tile_max * max(y) + tile_mean * mean(y) + tile_logsumexp * log(mean(exp(y)))

    The default is the whole photo alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1
    whole: float = 1.0
    tile_max: float = 0.0
    tile_mean: float = 0.0
    tile_logsumexp: float = 0.0
    bias: float = 0.0

    @property
    def needs_tiles(self) -> bool:
        """Whether a tile's logit can change the photo's."""
        return any((self.tile_max, self.tile_mean, self.tile_logsumexp))


@dataclass(frozen=True, slots=True)
class PooledLogits:
    """PooledLogits logits and the share of each view in them: logits = sum(weights * view logits, axis 1) + constants.

    Shapes for n photos of v views: logits and constants (n,), weights (n, v); all float64.
    """

    logits: Floats
    weights: Floats
    constants: Floats


def pool(view_logits: NDArray[np.floating], pooling: Pooling) -> PooledLogits:
    """Pool view logits of shape (photos, views), the whole photo's first.

    The shares are exact and not only a gradient: max picks one tile, and with p = softmax(y) over n tiles
    log(mean(exp(y))) = sum(p * y) + entropy(p) - log(n).
    """
    logits = np.asarray(view_logits, dtype=np.float64)
    weights = np.zeros_like(logits)
    weights[:, 0] = pooling.whole
    constants = np.full(len(logits), pooling.bias)
    tiles = logits[:, 1:]
    if pooling.needs_tiles:
        if not tiles.shape[1]:
            raise ValueError("this pooling weighs tiles, but the photos have none")
        count = tiles.shape[1]
        exponentials = np.exp(tiles - tiles.max(axis=1, keepdims=True))
        softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
        entropy = -np.sum(softmax * np.log(np.maximum(softmax, np.finfo(np.float64).tiny)), axis=1)
        weights[:, 1:] = pooling.tile_mean / count + pooling.tile_logsumexp * softmax
        weights[np.arange(len(logits)), 1 + tiles.argmax(axis=1)] += pooling.tile_max
        constants = constants + pooling.tile_logsumexp * (entropy - np.log(count))
    return PooledLogits(np.sum(weights * logits, axis=1) + constants, weights, constants)
