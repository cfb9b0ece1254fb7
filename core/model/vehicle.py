"""How unlike a vehicle a photo is: its distance from the space that the features of vehicle photos lie in.

The features are the network's own, of the whole photo, pooled; no second network runs. They are scaled to length 1; of
what remains after their mean and the strongest directions among vehicle photos are taken away, the length is the
distance (the residual of a principal component analysis): 0 is a vehicle like those of training, 1 nothing like one.
"""

import base64
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Features = NDArray[np.floating]

DIRECTIONS = 32
_FOLDS = 5
_STORED = np.dtype("<f2")


class VehicleSpace(BaseModel):
    """Mean and directions as float16, little-endian, row by row (1 + directions, features), in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: int = Field(ge=1)
    directions: int = Field(ge=1)
    values: str = Field(repr=False)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        expected = (1 + self.directions) * self.features * _STORED.itemsize
        if len(base64.b64decode(self.values, validate=True)) != expected:
            raise ValueError(f"values must hold {expected} bytes")
        return self

    def distances(self, features: Features) -> NDArray[np.float64]:
        """The distance of each photo, for the pooled features (n, features) of n whole photos."""
        return _residual(_unit(features), self.decoded[0], self.decoded[1:])

    @cached_property
    def decoded(self) -> NDArray[np.float64]:
        """Mean and directions, (1 + directions, features). Decoded once: the device waits while a batch is pooled."""
        return np.frombuffer(base64.b64decode(self.values), _STORED).reshape(-1, self.features).astype(np.float64)


def fit_vehicle_space(features: Features, directions: int = DIRECTIONS) -> VehicleSpace:
    """The space of these photos of vehicles, (n, features) with n > directions."""
    mean, axes = _principal(_unit(features), directions)
    values = np.vstack([mean, axes]).astype(_STORED).tobytes()
    return VehicleSpace(
        features=features.shape[1], directions=directions, values=base64.b64encode(values).decode("ascii")
    )


def unseen_distances(features: Features, groups: NDArray[np.str_], directions: int = DIRECTIONS) -> NDArray[np.float64]:
    """The distance of each of these photos from the space of the others: what an unseen photo's would be.

    Photos of one group are never on both sides (five folds).
    """
    unit = _unit(features)
    names = np.unique(groups)
    fold_of = dict(
        zip(names[np.random.default_rng(0).permutation(len(names))], np.arange(len(names)) % _FOLDS, strict=True)
    )
    folds = np.array([fold_of[group] for group in groups])
    distances = np.empty(len(unit))
    for fold in range(_FOLDS):
        distances[folds == fold] = _residual(unit[folds == fold], *_principal(unit[folds != fold], directions))
    return distances


def _unit(features: Features) -> NDArray[np.float64]:
    wide = np.asarray(features, dtype=np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12))


def _principal(unit: NDArray[np.float64], directions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = unit.mean(axis=0)
    _, _, axes = np.linalg.svd(unit - mean, full_matrices=False)
    return mean, axes[:directions]


def _residual(unit: NDArray[np.float64], mean: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = unit - mean
    explained = centred @ axes.T
    left = np.sum(centred**2, axis=1) - np.sum(explained**2, axis=1)
    return np.asarray(np.sqrt(np.maximum(left, 0.0)))
