import numpy as np
import pytest
from pydantic import ValidationError

from core.model.vehicle import VehicleSpace, fit_vehicle_space, unseen_distances

RNG = np.random.default_rng(0)
DIRECTIONS = RNG.random((4, 64))
VEHICLES = RNG.random((120, 4)) @ DIRECTIONS + 0.01 * RNG.random((120, 64))
OTHERS = RNG.random((30, 4)) @ RNG.random((4, 64))


def test_what_lies_outside_the_vehicles_space_is_far() -> None:
    space = fit_vehicle_space(VEHICLES[:100], 4)
    assert space.distances(VEHICLES[100:]).max() < space.distances(OTHERS).min()
    assert space.distances(3 * OTHERS) == pytest.approx(space.distances(OTHERS)), "brightness of features tells nothing"


def test_distances_come_back_from_the_card_as_they_were() -> None:
    space = fit_vehicle_space(VEHICLES, 4)
    again = VehicleSpace.model_validate_json(space.model_dump_json())
    assert (again.distances(OTHERS) == space.distances(OTHERS)).all()
    with pytest.raises(ValidationError, match="bytes"):
        VehicleSpace(features=64, directions=5, values=space.values)


def test_the_card_is_decoded_once() -> None:
    space = fit_vehicle_space(VEHICLES, 4)
    first = space.decoded
    space.distances(OTHERS)
    assert space.decoded is first
    assert space == VehicleSpace.model_validate_json(space.model_dump_json()), "what is kept is no part of the card"


def test_a_photo_is_measured_from_the_space_of_others() -> None:
    groups = np.array([f"g{number // 2}" for number in range(120)])
    unseen = unseen_distances(VEHICLES, groups, 40)
    seen = fit_vehicle_space(VEHICLES, 40).distances(VEHICLES)
    assert unseen.mean() > 1.2 * seen.mean()
