"""How well maps of damage agree with outlines: overlap per photo and pooled, by source, kind and size; and pointing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.model.outline_branch import KINDS
from core.training.dataset import Sample
from core.training.outlines import Regions, cover, draw
from core.training.windows import WHOLE

Maps = NDArray[np.floating]
# A cell counts as damaged where outlines cover this share of it: less than half, for scratches are thin.
LEAST_COVERED = 1 / 3
# Shares of the photo that damage covers: what each class stays below.
SIZES = {"under 0.5 %": 0.005, "0.5 to 2 %": 0.02, "2 to 10 %": 0.1, "over 10 %": 1.01}


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of outlined photos: overlap (IoU), mean per photo and pooled; share of highest, and of middle, cells damaged."""

    photos: int
    per_photo: float
    pooled: float
    pointing: float
    centre: float


def agreements(samples: Sequence[Sample], maps: Maps, outlines: Mapping[str, Regions]) -> dict[str, Agreement]:
    """How maps of damage logits (n, cells, cells) agree with the outlines: overall, by source, by kind, by size."""
    cells = maps.shape[1]
    covered = np.stack([cover(draw(outlines[sample.name]), WHOLE, cells) for sample in samples])
    truth, shown = covered[..., 0] >= LEAST_COVERED * 255, maps > 0
    share = covered[..., 0].mean(axis=(1, 2)) / 255
    groups = {"all": np.ones(len(samples), dtype=bool)}
    sources = np.array([sample.source for sample in samples])
    groups |= {str(source): sources == source for source in np.unique(sources)}
    kinds = [{region.kind for region in outlines[sample.name]} for sample in samples]
    groups |= {kind: np.array([kind in named for named in kinds]) for kind in KINDS}
    groups |= _by_size(share)
    pointing, centre = _pointing(maps, truth), truth[:, cells // 2, cells // 2]
    overlap = (truth & shown).sum(axis=(1, 2))
    union = (truth | shown).sum(axis=(1, 2))
    return {
        name: Agreement(
            int(chosen.sum()),
            float((overlap[chosen] / np.maximum(union[chosen], 1)).mean()),
            float(overlap[chosen].sum() / max(union[chosen].sum(), 1)),
            float(pointing[chosen].mean()),
            float(centre[chosen].mean()),
        )
        for name, chosen in groups.items()
        if chosen.any()
    }


def covered_in_vain(maps: Maps) -> float:
    """The share of cells that maps of intact photos, logits (n, cells, cells), call damaged."""
    return float((maps > 0).mean())


def _by_size(share: NDArray[np.floating]) -> dict[str, NDArray[np.bool_]]:
    groups, least = {}, 0.0
    for name, most in SIZES.items():
        groups[name] = (share >= least) & (share < most)
        least = most
    return groups


def _pointing(maps: Maps, truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each map's highest cell is damaged."""
    highest = maps.reshape(len(maps), -1).argmax(axis=1)
    pointed: NDArray[np.bool_] = truth.reshape(len(maps), -1)[np.arange(len(maps)), highest]
    return pointed
