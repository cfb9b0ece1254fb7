"""What follows from the choices of a training run."""

import pytest

from core.domain import ViewPlan
from core.model.pooling import Pooling
from core.training.recipe import Recipe


def test_a_recipe_without_tiles_sees_the_whole_photo_alone() -> None:
    recipe = Recipe(input_size=320, batch=36)
    assert recipe.plan == ViewPlan(320)
    assert (recipe.views_drawn, recipe.looks) == (1, 36)
    assert recipe.pooling == Pooling()


def test_an_epoch_draws_no_more_tiles_than_there_are() -> None:
    assert Recipe(tiles=2, tiles_drawn=2).views_drawn == 3
    assert Recipe(tiles=1, tiles_drawn=2).views_drawn == 2


def test_a_batch_counts_views_and_holds_one_look_at_least() -> None:
    assert Recipe(tiles=2, tiles_drawn=2, batch=36).looks == 12
    assert Recipe(tiles=2, tiles_drawn=4, batch=3).looks == 1


def test_weights_of_the_views_add_up_to_one() -> None:
    pooling = Recipe(tiles=2, tile_max=0.5, tile_mean=0.2).pooling
    assert pooling.whole + pooling.tile_max + pooling.tile_mean == pytest.approx(1.0)
