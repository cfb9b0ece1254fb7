"""The classifier read from its file: BatchNormalization folded away, and nothing but the expected layers."""

from typing import Any

import numpy as np
import pytest

from core.errors import ModelUnusable
from core.model.artefact import Artefact, verified_bytes
from core.model.folding import Convolution, fold_normalisation, normalisation, read_head, read_network, read_steps

RNG = np.random.default_rng(2)


def test_a_folded_convolution_is_the_convolution_and_its_normalisation() -> None:
    """Without a spatial extent a convolution is a matrix: the algebra is seen in NumPy alone."""
    kernel, bias = RNG.normal(size=(1, 1, 5, 4)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
    gamma, beta, mean = RNG.normal(size=(3, 4)).astype(np.float32)
    variance = RNG.uniform(0.5, 2, 4).astype(np.float32)
    inputs = RNG.normal(size=(7, 5))
    expected = (inputs @ kernel[0, 0] + bias - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    scale, shift = normalisation([gamma, beta, mean, variance], 1e-3)
    folded = fold_normalisation(Convolution(kernel.copy(), bias), scale, shift)
    assert folded.kernel.dtype == folded.bias.dtype == np.float32
    np.testing.assert_allclose(inputs @ folded.kernel[0, 0] + folded.bias, expected, atol=1e-5)


def test_the_network_has_a_convolution_for_each_of_keras_and_no_normalisation(artefact: Artefact) -> None:
    folded = read_network(verified_bytes(artefact), "here")
    kinds = [step.kind for step in folded.steps]
    assert kinds.count("Conv2D") == len(folded.convolutions) == 53
    assert "BatchNormalization" not in kinds
    known: set[str] = set()
    for step in folded.steps:
        assert set(step.inputs) <= known, f"{step.name} reads what comes after it"
        known.add(step.name)


def test_steps_of_a_model_in_memory_are_those_of_its_file(network: Any, artefact: Artefact) -> None:
    backbone = network.layers[0]
    in_memory = {step.name: step.inputs for step in read_steps(backbone.get_config())}
    assert in_memory["conv2_block1_add"] == ("conv2_block1_0_bn", "conv2_block1_3_bn")
    assert in_memory[backbone.layers[0].name] == ()  # Keras counts the inputs of a process
    assert {step.name for step in read_network(verified_bytes(artefact), "here").steps} <= in_memory.keys()


def test_the_head_is_read_alone(artefact: Artefact) -> None:
    data = verified_bytes(artefact)
    alone, within = read_head(data, "here"), read_network(data, "here").head
    for name in alone.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(alone, name), getattr(within, name))


def test_a_file_without_weights_is_refused_by_its_name(artefact: Artefact) -> None:
    with pytest.raises(ModelUnusable, match="here is not a Keras model file"):
        read_network(verified_bytes(artefact)[:1000], "here")
