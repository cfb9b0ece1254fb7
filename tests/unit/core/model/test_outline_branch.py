"""The branch beside the classifier: in one file and one pass, on both runtimes as Keras computes it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelUnusable
from core.model.artefact import Artefact, load_network, open_artefact, save_artefact, verified_bytes
from core.model.card import Outlines
from core.model.engine import Engine, load_engine
from core.model.folding import read_network
from core.model.network import preprocess
from core.model.openvino_forward import build_openvino_forward
from core.model.openvino_graph import build_graph
from core.model.outline_branch import KINDS, STAGES, build_branch
from tests.unit.core.conftest import DESCRIPTION, SIZE

CELLS = SIZE // 8


@pytest.fixture(scope="module")
def branch() -> Any:
    import keras

    keras.utils.set_random_seed(3)
    return build_branch(CELLS)


@pytest.fixture(scope="module")
def outlined(network: Any, branch: Any, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    outlines = Outlines(cells=CELLS, kinds=KINDS, parameters=branch.count_params())
    described = DESCRIPTION.model_copy(update={"outlines": outlines})
    return save_artefact(network, described, tmp_path_factory.mktemp("models") / "outlined", branch)


@pytest.fixture(scope="module")
def expected(network: Any, branch: Any, photos: np.ndarray) -> np.ndarray:
    """The map as Keras computes it: the backbone's stages, then the branch."""
    import keras

    backbone = network.layers[0]
    stages = keras.Model(backbone.input, [backbone.get_layer(name).output for name in STAGES])
    return np.asarray(branch(stages(preprocess(photos[:, 0])), training=False))


def test_openvino_maps_as_keras_does(outlined: Artefact, expected: np.ndarray, photos: np.ndarray) -> None:
    pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    folded = read_network(verified_bytes(outlined), "here")
    cells = Engine(build_openvino_forward(build_graph(folded, SIZE), folded.head)).run(photos[:, 0]).cells
    np.testing.assert_allclose(cells, expected, atol=2e-3 * np.abs(expected).max())


def test_the_engine_maps_as_keras_does(outlined: Artefact, expected: np.ndarray, photos: np.ndarray) -> None:
    cells = load_engine(outlined).run(photos[:, 0]).cells
    assert cells.shape == (len(photos), CELLS, CELLS, 1 + len(KINDS))
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(cells, expected, atol=2e-3 * np.abs(expected).max())


def test_the_classifier_answers_as_without_it(outlined: Artefact, artefact: Artefact, photos: np.ndarray) -> None:
    beside, alone = (load_engine(one).run(photos[:, 0]) for one in (outlined, artefact))
    np.testing.assert_array_equal(beside.logits, alone.logits)
    np.testing.assert_array_equal(beside.heatmaps, alone.heatmaps)
    assert alone.cells.size == 0


def test_keras_still_loads_the_classifier_alone(outlined: Artefact, network: Any) -> None:
    assert load_network(outlined).count_params() == network.count_params() == outlined.card.parameters


def test_a_branch_that_the_card_does_not_declare_is_refused(outlined: Artefact) -> None:
    text = (outlined.folder / "card.json").read_text()
    try:
        (outlined.folder / "card.json").write_text(outlined.card.model_copy(update={"outlines": None}).to_json())
        with pytest.raises(ModelUnusable, match=r"branch of 1,\d+,\d+ parameters, but its card says 0"):
            open_artefact(outlined.folder)
    finally:
        (outlined.folder / "card.json").write_text(text)
    assert open_artefact(outlined.folder).card == outlined.card


def test_the_file_stays_as_small_as_it_must(outlined: Artefact) -> None:
    assert len(verified_bytes(outlined)) < 50_000_000


def test_its_name_says_which_stages_it_reads(branch: Any) -> None:
    assert [tensor.name for tensor in branch.inputs] == list(STAGES)
    assert Path(branch.name).name == "outlines"
