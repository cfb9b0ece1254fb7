"""Small artefacts: one of a whole network with random weights, and some that TensorFlow is not needed for."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from core.model.artefact import CARD_FILE, WEIGHTS_FILE, Artefact, file_sha256, save_artefact
from core.model.card import Card, Description
from core.model.network import PREPROCESSING

SIZE = 64
DESCRIPTION = Description(
    name="random",
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
    preprocessing=PREPROCESSING,
    input={"size": SIZE},
    temperature=1.5,
)


@pytest.fixture(scope="session")
def network() -> Any:
    """The classifier for 64 x 64 pixels, random to its last scale and shift: no term is trivially 0 or 1."""
    import keras

    from core.model.network import build_network

    keras.utils.set_random_seed(7)
    network = build_network(SIZE)
    random = np.random.default_rng(7)
    for layer in [*network.layers[0].layers, *network.layers]:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights(
                [
                    random.uniform(0.6, 1.1, count),
                    random.normal(0, 0.1, count),
                    random.normal(0, 0.1, count),
                    random.uniform(0.7, 1.5, count),
                ]
            )
        elif isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, random.normal(0, 0.1, bias.shape)])
    return network


@pytest.fixture(scope="session")
def artefact(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return save_artefact(network, DESCRIPTION, tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="session")
def photos() -> np.ndarray:
    """Ten smooth random photos, uint8 (10, 1, 64, 64, 3)."""
    coarse = np.random.default_rng(3).integers(0, 256, (10, 1, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(SIZE // 8, axis=2).repeat(SIZE // 8, axis=3)


@pytest.fixture(scope="session")
def colours() -> np.ndarray:
    """A red, a green and a blue photo, uint8 (3, 64, 64, 3): channels in another order would be seen."""
    photos = np.zeros((3, SIZE, SIZE, 3), np.uint8)
    for channel in range(3):
        photos[channel, ..., channel] = 220
    return photos


@pytest.fixture
def make_artefact(tmp_path: Path) -> Callable[..., Artefact]:
    """Artefacts that verify, of a network with one layer: made without TensorFlow, in no time."""

    def make(name: str = "small", config: Any = None, **card: Any) -> Artefact:
        folder = tmp_path / f"artefact-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        weights = io.BytesIO()
        with h5py.File(weights, "w") as file:
            group = file.create_group("layers/dense/vars")
            group.attrs["name"] = "dense"
            group["0"], group["1"] = np.ones((3, 4), np.float16), np.zeros(4, np.float32)
        first = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 64, 64, 3]}}
        with zipfile.ZipFile(folder / WEIGHTS_FILE, "w") as archive:
            archive.writestr("config.json", json.dumps(config or {"config": {"layers": [first]}}))
            archive.writestr("model.weights.h5", weights.getvalue())
        values = {**dict(DESCRIPTION), "parameters": 16, "weights_sha256": file_sha256(folder / WEIGHTS_FILE)}
        made = Card(**{**values, "name": name, **card})
        (folder / CARD_FILE).write_text(made.to_json())
        return Artefact(folder, made)

    return make
