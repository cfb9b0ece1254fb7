from pathlib import Path

import numpy as np

from core.domain import ViewPlan
from core.model.network import build_network, preprocess
from core.model.pooling import Pooling, pool
from core.training.calibration import probabilities
from core.training.features import frozen_stages
from core.training.tail import build_bag, build_tail, copy_back, read_positions

PLAN = ViewPlan(64, tiles=2)


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
