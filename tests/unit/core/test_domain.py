"""Values with rules of their own: how a photo is cut into views, and which models are the same one."""

import pytest

from core.domain import ModelIdentity, ViewPlan


@pytest.mark.parametrize(
    ("plan", "offsets"),
    [
        (ViewPlan(), ()),
        (ViewPlan(tiles=1, tile_share=0.6), (0.2,)),
        (ViewPlan(tiles=2, tile_share=0.6), (0, 0.4)),
        (ViewPlan(tiles=3, tile_share=0.5), (0, 0.25, 0.5)),
    ],
)
def test_tiles_lie_evenly_from_edge_to_edge(plan: ViewPlan, offsets: tuple[float, ...]) -> None:
    assert plan.tile_offsets == pytest.approx(offsets)
    assert plan.count == 1 + len(offsets) ** 2


@pytest.mark.parametrize(
    ("plan", "cost"), [(ViewPlan(), 1), (ViewPlan(64), 1), (ViewPlan(448), 4), (ViewPlan(448, tiles=2), 20)]
)
def test_a_photo_costs_by_its_views_and_their_area(plan: ViewPlan, cost: float) -> None:
    assert plan.cost == cost


def test_models_are_the_same_by_what_they_compute() -> None:
    first = ModelIdentity("first", "a" * 64, "b" * 64)
    assert first.scores_as(ModelIdentity("renamed", "a" * 64, "b" * 64))
    assert not first.scores_as(ModelIdentity("first", "c" * 64, "b" * 64))
    assert not first.scores_as(ModelIdentity("first", "a" * 64, "c" * 64))
