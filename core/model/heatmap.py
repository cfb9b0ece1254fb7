"""Exact heat maps: checked against the logit they explain, laid over the whole photo, and stored.

A view's map M and constant b satisfy mean(M) + b = logit (the algebra is in docs/model.md, computed in the network's
own pass by `core.model.engine`). Pooling gives each view a weight and adds a constant (`core.model.pooling`), so the
photo's logit is the mean of a map over the photo plus a constant again.
"""

import numpy as np
from numpy.typing import NDArray

from core.domain import ViewPlan
from core.errors import ModelFailed
from core.model.pooling import PooledLogits

Maps = NDArray[np.floating]

TOLERANCE = 1e-4
_STORED = np.dtype("<f2")


def check_exact(maps: Maps, constants: NDArray[np.floating], logits: NDArray[np.floating]) -> None:
    """Assert mean(map) + constant = logit within `TOLERANCE` for each of n maps (n, rows, columns).

    Raises `ModelFailed`, also where any of them is not a finite number.
    """
    gaps = np.abs(maps.mean(axis=(1, 2), dtype=np.float64) + constants - logits)
    if not np.all(gaps <= TOLERANCE):
        raise ModelFailed(
            f"a heat map does not add up to its logit (off by {np.max(gaps):.2g}, allowed {TOLERANCE:.0e}); "
            "the device computes wrongly, or the model is not a ResNet50 with our head: run `walkaround model verify`"
        )


def compose(view_maps: Maps, plan: ViewPlan, pooled: PooledLogits) -> NDArray[np.float64]:
    """One map over the whole photo for each of n photos, from view maps (n, plan.count, rows, columns).

    Each view's map is scaled by the view's share in the pooled logit. Without tiles that is the answer. With tiles
    each cell's contribution is spread evenly over the part of the photo that the cell sees, on a grid twice as fine as
    a view's own. Nothing is lost: mean(map) + constant = pooled logit, exactly. Shape (n, rows, columns).
    """
    weighted = np.asarray(view_maps, dtype=np.float64) * pooled.weights[:, :, None, None]
    if not plan.tiles:
        return np.asarray(weighted[:, 0])
    rows, columns = weighted.shape[2:]
    down, across = _spread(rows, plan), _spread(columns, plan)
    tiles = weighted[:, 1:].reshape(-1, plan.tiles, plan.tiles, rows, columns)
    whole = np.einsum("yr,nrc,xc->nyx", down[0], weighted[:, 0], across[0])
    placed = np.einsum("iyr,nijrc,jxc->nyx", down[1:], tiles, across[1:])
    composed: NDArray[np.float64] = (whole + placed) * (down.shape[1] * across.shape[1] / (rows * columns))
    return composed


def _spread(cells: int, plan: ViewPlan) -> NDArray[np.float64]:
    """How much of each cell of a view falls on each cell of the photo's grid, along one axis.

    Shape (1 + tiles, 2 cells, cells): the whole photo, then each tile's place. The shares of a cell add up to 1.
    """
    places = [(0.0, 1.0), *((offset, plan.tile_share) for offset in plan.tile_offsets)]
    grid = np.linspace(0.0, 1.0, 2 * cells + 1)
    spread = np.empty((len(places), 2 * cells, cells))
    for place, (start, length) in enumerate(places):
        edges = start + length * np.linspace(0.0, 1.0, cells + 1)
        ends = np.minimum(grid[1:, None], edges[None, 1:])
        overlap = np.clip(ends - np.maximum(grid[:-1, None], edges[None, :-1]), 0.0, None)
        spread[place] = overlap / overlap.sum(axis=0)
    return spread


def encode_heatmap(heatmap: Maps) -> tuple[bytes, tuple[int, int]]:
    """A map as it is stored: little-endian float16, row by row, and its shape (rows, columns)."""
    rows, columns = heatmap.shape
    return np.ascontiguousarray(heatmap).astype(_STORED).tobytes(), (rows, columns)


def decode_heatmap(data: bytes, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The stored map as float32 (rows, columns). Raises `ValueError` where length and shape do not fit."""
    return np.frombuffer(data, dtype=_STORED).reshape(shape).astype(np.float32)
