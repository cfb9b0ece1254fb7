import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain import ViewPlan
from core.errors import DatasetInvalid
from core.model.network import build_network, preprocess
from core.model.pooling import Pooling, pool
from core.training.calibration import probabilities
from core.training.dataset import Sample
from core.training.features import FeatureCache, Look, frozen_stages, plan_training_looks, render
from core.training.recipe import Recipe
from core.training.tail import build_bag, build_tail, copy_back, read_positions
from core.training.train import TrainingResult, train, use_bfloat16

RECIPE = Recipe(seed=3, input_size=64, tiles=2, augmented=1, epochs=2, drawn=2, batch=24)
PLAN = ViewPlan(64, tiles=2)
BFLOAT16 = "auto_mixed_precision_onednn_bfloat16"


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Red squares are damaged, blue ones intact, so that a few steps suffice."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    made = []
    for number in range(36):
        damaged = bool(number % 2)
        pixels = rng.integers(0, 60, (70, 70, 3), dtype=np.uint8)
        pixels[..., 0 if damaged else 2] += 150
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        made.append(Sample(path, path.name, damaged, ("train", "train", "val")[number // 2 % 3], path.name))
    return made


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("base") / "base.weights.h5"
    build_network(64).layers[0].save_weights(path)
    return path


@pytest.fixture(scope="module")
def trained(samples: list[Sample], base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return train(samples, RECIPE, tmp_path_factory.mktemp("run"), base)


def test_the_tail_on_frozen_features_is_the_whole_network(base: Path) -> None:
    network = build_network(64, base_weights=base)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    features = frozen_stages(network)(pixels)
    assert features.shape == (3, 2, 2, 1024)
    answer = probabilities(build_tail(network)(features, training=False).numpy())
    assert np.abs(answer - network(preprocess(pixels), training=False).numpy()).max() < 1e-4


def test_a_bag_pools_as_serving_does(base: Path) -> None:
    tail = build_tail(build_network(64, base_weights=base))
    pooling = Pooling(whole=0.5, tile_max=0.3, tile_mean=0.2, bias=0.1)
    looks = np.random.default_rng(0).random((3, 5, 2, 2, 1024), dtype=np.float32)
    each = tail(looks.reshape(-1, 2, 2, 1024), training=False).numpy().reshape(3, 5)
    pooled, whole = build_bag(tail, 5, pooling)(looks, training=False)
    assert np.allclose(pooled.numpy()[:, 0], pool(each, pooling).logits, atol=1e-4)
    assert np.allclose(whole.numpy()[:, 0], each[:, 0], atol=1e-4)


def test_conv5_reads_every_second_position_only() -> None:
    conv4 = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4, 1)
    assert read_positions(conv4)[0, ..., 0].tolist() == [[0, 2], [8, 10]]


def test_the_backbone_s_normalisation_stays_in_inference_mode_and_its_scale_trains(base: Path) -> None:
    import keras

    tail = build_tail(build_network(64, base_weights=base))
    last = tail.get_layer("conv5_block3_out").output
    conv5 = keras.Model(tail.input, last)
    features = 5 * np.random.default_rng(0).random((4, 2, 2, 1024), dtype=np.float32)
    assert np.array_equal(conv5(features, training=True), conv5(features, training=False))
    normalisation = tail.get_layer("conv5_block1_1_bn")
    before = [weights.copy() for weights in normalisation.get_weights()]
    bag = build_bag(tail, 1, Pooling())
    bag.compile("sgd", ["mse", "mse"])
    bag.train_on_batch(features[:, None], [np.ones((4, 1)), np.ones((4, 1))])
    changed = [not np.array_equal(*pair) for pair in zip(before, normalisation.get_weights(), strict=True)]
    assert changed == [True, True, False, False]  # gamma, beta; moving mean, moving variance


def test_what_the_tail_learns_reaches_the_network(base: Path) -> None:
    network = build_network(64, base_weights=base)
    tail = build_tail(network)
    kernel = tail.get_layer("conv5_block3_3_conv").kernel
    kernel.assign(kernel + 1.0)
    copy_back(tail, network)
    assert np.array_equal(network.layers[0].get_layer("conv5_block3_3_conv").kernel, kernel)


def test_training_learns_what_tells_the_labels_apart_and_leaves_the_frozen_stages(
    trained: TrainingResult, base: Path
) -> None:
    assert trained.epochs[trained.best].val_accuracy == 1.0
    assert trained.best == int(np.argmin([epoch.val_loss for epoch in trained.epochs]))
    untouched = build_network(64, base_weights=base).layers[0].get_layer("conv4_block6_3_conv")
    assert np.array_equal(
        trained.network.layers[0].get_layer("conv4_block6_3_conv").get_weights()[0], untouched.get_weights()[0]
    )


def test_a_killed_run_goes_on_to_the_same_end(
    samples: list[Sample], base: Path, trained: TrainingResult, tmp_path: Path
) -> None:
    def kill_in_second_epoch(phase: str, done: int, of: int) -> None:
        if phase.startswith("epoch 2"):
            raise Killed

    with pytest.raises(Killed):
        train(samples, RECIPE, tmp_path, base, kill_in_second_epoch)
    assert len(json.loads((tmp_path / "history.json").read_text())) == 2  # the head and the first epoch
    phases = set()
    resumed = train(samples, RECIPE, tmp_path, base, lambda phase, *_: phases.add(phase))
    assert phases == {"epoch 2 of 2"}  # neither looks nor head nor the first epoch were done again
    for ours, theirs in zip(resumed.epochs, trained.epochs, strict=True):
        assert ours.val_loss == pytest.approx(theirs.val_loss, abs=1e-3)


def test_a_workspace_refuses_another_recipe(samples: list[Sample], base: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(DatasetInvalid, match="another recipe"):
        train(samples, RECIPE, tmp_path, base)


def test_features_of_other_data_are_refused(samples: list[Sample], tmp_path: Path) -> None:
    looks = plan_training_looks(samples, 1, 1.0)
    cache = FeatureCache(tmp_path, samples, looks, PLAN, seed=0)
    assert cache.missing == len(looks)
    cache._write_progress()
    with pytest.raises(DatasetInvalid, match="other data"):
        FeatureCache(tmp_path, samples, looks[:-1], PLAN, seed=0)


def test_every_intact_photo_has_painted_twins_framed_like_its_plain_looks(samples: list[Sample]) -> None:
    looks = plan_training_looks(samples, 4, 1.0)
    for index, sample in enumerate(samples):
        own = [look for look in looks if look.sample == index and look.kind in ("wide", "close_up")]
        plain = sorted(look.kind for look in own if not look.painted)
        painted = sorted(look.kind for look in own if look.painted)
        assert painted == ([] if sample.damaged else plain)
        assert not (sample.damaged and "close_up" in plain)
    assert {look.kind for look in plan_training_looks(samples, 1, 1.0)} == {"clean", "mirrored", "wide", "close_up"}


def test_a_look_is_fixed_by_its_seed_and_number(samples: list[Sample]) -> None:
    look = Look(0, "wide", 1)
    assert np.array_equal(render(samples[0], look, PLAN, 5), render(samples[0], look, PLAN, 5))
    assert not np.array_equal(render(samples[0], look, PLAN, 5), render(samples[0], replace(look, number=2), PLAN, 5))
    clean, mirrored = (render(samples[0], Look(0, kind), PLAN, 5) for kind in ("clean", "mirrored"))
    assert clean.shape == (5, 64, 64, 3)
    assert np.array_equal(mirrored[0], clean[0, :, ::-1])
    assert np.array_equal(mirrored[1], clean[2, :, ::-1])  # the left tile of the one is the right tile of the other


@pytest.mark.parametrize("has", [True, False])
def test_a_processor_without_bfloat16_is_not_made_to_imitate_it(
    samples: list[Sample], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    import tensorflow as tf

    def stop(*_: object) -> None:
        assert tf.config.optimizer.get_experimental_options()[BFLOAT16] is has
        raise Killed

    monkeypatch.setattr("core.training.train.has_bfloat16", lambda: has)
    with pytest.raises(Killed):
        train(samples, RECIPE, tmp_path / "run", base, stop)
    use_bfloat16(False)
