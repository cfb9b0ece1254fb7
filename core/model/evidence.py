"""How the head's logit and the map of damage become the photo's one logit: declarative, versioned, part of the card."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Floats = NDArray[np.float64]
AREA_FLOOR = 1e-4


class Evidence(BaseModel):
    """Version 1, with y the head's pooled logit and z the logits of damage of the map's cells.

    logit = bias + head * y + largest * mean(the `cells` largest z) + area * log(mean(sigmoid(z)) + 0.0001)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1
    head: float = 1.0
    largest: float = 0.0
    cells: int = Field(default=64, ge=1)
    area: float = 0.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class CombinedLogits:
    """logits = head * head logits + constants, each (n,): what the head's heat map explains, and the rest."""

    logits: Floats
    head: float
    constants: Floats


def combine(head_logits: Floats, maps: NDArray[np.floating], evidence: Evidence) -> CombinedLogits:
    """Combine the head's logits (n,) with maps of damage logits (n, rows, columns)."""
    largest, area = map_evidence(maps, evidence.cells)
    constants = evidence.bias + evidence.largest * largest + evidence.area * area
    return CombinedLogits(evidence.head * head_logits + constants, evidence.head, constants)


def map_evidence(maps: NDArray[np.floating], cells: int) -> tuple[Floats, Floats]:
    """Of maps of logits (n, rows, columns): the mean of the largest `cells`, and the log of the share of damage."""
    flat = np.asarray(maps, dtype=np.float64).reshape(len(maps), -1)
    largest = np.partition(flat, -cells, axis=1)[:, -cells:].mean(axis=1)
    area = np.log(np.exp(-np.logaddexp(0.0, -flat)).mean(axis=1) + AREA_FLOOR)
    return largest, area
