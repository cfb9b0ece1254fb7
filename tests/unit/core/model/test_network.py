from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.model.network import FROZEN_LAYERS, build_network, preprocess

if TYPE_CHECKING:
    import keras


@pytest.fixture(scope="module")
def classifier() -> "keras.Sequential":
    return build_network()


def parameters(weights: "Iterable[keras.Variable]") -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_every_parameter_count(classifier: "keras.Sequential") -> None:
    """The numbers are those of its model summary; Keras 3 adds the dropout's seed, which the summary leaves out."""
    import keras

    optimizer = keras.optimizers.SGD(momentum=0.9)  # one slot per weight, and two of its own
    optimizer.build(classifier.trainable_variables)
    slots = parameters(optimizer.variables)
    trainable, frozen = parameters(classifier.trainable_weights), parameters(classifier.non_trainable_weights)
    assert classifier.layers[0].count_params() == 23_587_712
    assert trainable == 15_537_665
    assert frozen == 8_615_808
    assert slots == 15_537_667
    assert trainable + frozen + slots == 39_691_140


def test_its_layers_in_order(classifier: "keras.Sequential") -> None:
    kinds = [type(layer).__name__ for layer in classifier.layers]
    assert kinds == ["Functional", "GlobalAveragePooling2D", "Dropout", "BatchNormalization", "Dense", "Dense", "Dense"]
    assert [layer.units for layer in classifier.layers[-3:]] == [256, 128, 1]


def test_conv5_trains_and_nothing_before_it(classifier: "keras.Sequential") -> None:
    backbone = classifier.layers[0]
    assert FROZEN_LAYERS == 143
    assert backbone.layers[143].name == "conv5_block1_1_conv"
    assert not any(layer.trainable for layer in backbone.layers[:143])
    assert all(layer.trainable for layer in backbone.layers[143:])
    assert all(layer.name.startswith("conv5") for layer in backbone.layers[143:])


def test_the_input_size_is_a_parameter() -> None:
    larger = build_network(320)
    assert larger.input_shape == (None, 320, 320, 3)
    assert larger.count_params() == 24_153_473


def test_preprocessing_is_keras_own() -> None:
    import keras

    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    expected = keras.applications.resnet50.preprocess_input(pixels.astype(np.float32))
    assert np.allclose(preprocess(pixels), expected, atol=1e-4)
