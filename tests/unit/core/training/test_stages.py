from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain import Pixels
from core.errors import DatasetInvalid
from core.training.dataset import Sample
from core.training.stages import BATCH, KEPT, Reduction, StageCache, Stages, read_reductions
from core.training.views import View
from core.training.windows import WHOLE


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture
def cache_arguments(tmp_path: Path) -> tuple[list[Sample], list[View]]:
    rng = np.random.default_rng(0)
    samples, views = [], []
    for number in range(2 * BATCH + 3):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
        samples.append(Sample(path, path.name, False, "train", path.name))
        views.append(View(number, WHOLE, damaged=False, mapped=True))
    return samples, views


def stages(pixels: Pixels) -> Stages:
    """Stands for the backbone: channels that are mixtures of the pixels' means."""
    rng = np.random.default_rng(1)
    means = pixels.reshape(len(pixels), 4, 8, 4, 8, 3).mean(axis=(2, 4), dtype=np.float32) / 255
    conv3, conv4, conv5 = (
        (means[:, ::step, ::step] @ rng.normal(size=(3, depth))).astype(np.float32)
        for step, depth in ((1, 512), (2, 1024), (4, 2048))
    )
    return conv3, conv4, conv5


def test_a_reduction_keeps_what_varies_and_merges_into_a_convolution() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(500, 4)) @ rng.normal(size=(4, 20)) + 3).astype(np.float32)
    reduction = Reduction.fit(values, 4)
    components = reduction.apply(values).astype(np.float32)
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(components.std(axis=0), 1, atol=0.1)
    kernel, bias = rng.normal(size=(1, 1, 4, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    merged, shift = reduction.merge(kernel, bias)
    np.testing.assert_allclose(values @ merged[0, 0] + shift, components @ kernel[0, 0] + bias, atol=0.05)


def test_a_killed_cache_goes_on_and_holds_what_it_was_given(
    cache_arguments: tuple[list[Sample], list[View]], tmp_path: Path
) -> None:
    samples, views = cache_arguments

    def open_cache(size: int = 32) -> StageCache:
        return StageCache(tmp_path / "views", samples, views, {}, size, seed=0)

    first = open_cache()
    reductions = read_reductions(tmp_path / "reductions.npz", first, stages, seed=0)
    assert (reductions[0].directions.shape, reductions[1].directions.shape) == ((512, KEPT[0]), (1024, KEPT[1]))

    def kill(done: int, _: int) -> None:
        if done > BATCH:
            raise Killed

    with pytest.raises(Killed):
        first.fill(stages, reductions, kill)
    second = open_cache()
    second.fill(stages, reductions)
    assert second.done == open_cache().done == len(views)
    chosen = np.array([0, BATCH, 2 * BATCH + 2])
    conv3, conv4, conv5, known = second.read(chosen)
    expected = stages(np.stack([second.render(view)[0] for view in chosen]))
    np.testing.assert_array_equal(conv5, expected[2].astype(np.float16))
    np.testing.assert_array_equal(conv3, reductions[0].apply(expected[0]))
    assert conv4.shape == (3, 2, 2, KEPT[1])
    assert not known.any()
    with pytest.raises(DatasetInvalid, match="other data or settings"):
        open_cache(size=64)
