"""The backbone as an OpenVINO graph: the colours it is given, and the layers it refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.errors import ModelUnusable
from core.model.artefact import Artefact, verified_bytes
from core.model.folding import FoldedNetwork, Step, read_network
from core.model.network import preprocess
from core.model.openvino_graph import build_graph

SIZE = 64
openvino = pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


@pytest.fixture(scope="module")
def folded(artefact: Artefact) -> FoldedNetwork:
    return read_network(verified_bytes(artefact), "here")


def test_colours_are_prepared_as_in_training(folded: FoldedNetwork, network: Any, colours: np.ndarray) -> None:
    expected = network.layers[0](preprocess(colours), training=False).numpy().mean(axis=(1, 2))
    run = openvino.compile_model(build_graph(folded, SIZE), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = run(colours)["features"]
    assert (found.dtype, found.shape) == (np.float32, (3, 2, 2, 2048))
    np.testing.assert_allclose(found.mean(axis=(1, 2)), expected, atol=1e-4)


def test_a_layer_of_another_network_is_refused_by_its_name(folded: FoldedNetwork) -> None:
    foreign = Step("LSTM", "memory", (folded.steps[-1].name,), {})
    with pytest.raises(ModelUnusable, match=r"the layer memory \(LSTM\) is not one of the classifier's"):
        build_graph(replace(folded, steps=(*folded.steps, foreign)), SIZE)
