"""The head and the exact heat map in NumPy, in float32: for devices that compute the backbone alone."""

import numpy as np
from numpy.typing import NDArray

from core.model.folding import Head

Array = NDArray[np.float32]


def head_and_map(head: Head, features: Array) -> tuple[Array, Array, Array, Array]:
    """Logits (n,), heat maps (n, rows, columns), constants (n,) and means (n, channels) of the backbone's output.

    `features` is float32 (n, rows, columns, channels). The algebra is docs/model.md's, as in `core.model.forward`.
    """
    count, rows, columns, channels = features.shape
    cells = features.reshape(count, rows * columns, channels)
    means = cells.mean(axis=1)
    z1 = (head.scale * means + head.shift) @ head.w1 + head.b1
    z2 = np.maximum(z1, 0) @ head.w2 + head.b2
    logits = np.maximum(z2, 0) @ head.w3[:, 0] + head.b3[0]
    to_z2 = np.where(z2 > 0, head.w3[:, 0], np.float32(0))
    to_z1 = np.where(z1 > 0, to_z2 @ head.w2.T, np.float32(0))
    to_means = to_z1 @ head.w1.T
    heatmaps = (cells @ (to_means * head.scale)[:, :, None]).reshape(count, rows, columns)
    constants = to_means @ head.shift + to_z1 @ head.b1 + to_z2 @ head.b2 + head.b3[0]
    return logits, heatmaps, constants, means
