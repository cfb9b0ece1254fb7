"""The head and the heat map in NumPy, beside the same layers in Keras."""

from typing import Any

import numpy as np

from core.model.artefact import Artefact, verified_bytes
from core.model.folding import read_head
from core.model.head import head_and_map

RNG = np.random.default_rng(4)


def test_logits_are_those_of_keras(network: Any, artefact: Artefact) -> None:
    features = RNG.uniform(0, 2, (6, 2, 2, 2048)).astype(np.float32)
    tensor = features
    for layer in network.layers[1:]:
        tensor = layer(tensor, training=False) if "training" in layer.call.__code__.co_varnames else layer(tensor)
    logits, *_ = head_and_map(read_head(verified_bytes(artefact), "here"), features)
    assert np.ptp(logits) > 0.01
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), np.asarray(tensor)[:, 0], atol=2e-4)


def test_the_map_adds_up_to_the_logit_and_moves_with_its_cell(artefact: Artefact) -> None:
    head = read_head(verified_bytes(artefact), "here")
    features = RNG.uniform(0, 2, (3, 2, 2, 2048)).astype(np.float32)
    logits, maps, constants, means = head_and_map(head, features)
    assert maps.shape == (3, 2, 2)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + constants, logits, atol=1e-4)
    np.testing.assert_allclose(means, features.mean(axis=(1, 2)), atol=1e-5)
    swapped = head_and_map(head, features[:, ::-1])
    np.testing.assert_allclose(swapped[1], maps[:, ::-1], atol=1e-4)
    np.testing.assert_allclose(swapped[0], logits, atol=1e-4)
