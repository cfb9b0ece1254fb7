"""int8 beside an artefact: loaded only where it matches its card and the weights. The graph is in fact float32."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.errors import ModelUnusable
from core.model.artefact import Artefact, open_artefact, verified_bytes
from core.model.engine import Engine, ViewOutputs, load_engine
from core.model.folding import FoldedNetwork, read_network
from core.model.forward import build_forward
from core.model.quantised import CONSTANTS_FILE, GRAPH_FILE, QUANTISED_CARD_FILE, QUANTISED_FILES, read_quantised_card
from core.training.quantisation import quantise
from tests.quantised import write_as_quantised

SIZE = 64

pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


@pytest.fixture(scope="module")
def folded(artefact: Artefact) -> FoldedNetwork:
    return read_network(verified_bytes(artefact), "here")


@pytest.fixture(scope="module")
def expected(folded: FoldedNetwork, photos: np.ndarray) -> ViewOutputs:
    return Engine(build_forward(folded, SIZE)).run(photos[:, 0])


@pytest.fixture
def quantised(artefact: Artefact, tmp_path: Path) -> Artefact:
    """A copy of the artefact with a graph beside it."""
    shutil.copytree(artefact.folder, tmp_path / "model")
    copy = open_artefact(tmp_path / "model")
    write_as_quantised(copy)
    return copy


def test_int8_loads_what_lies_beside_the_weights(
    quantised: Artefact, expected: ViewOutputs, photos: np.ndarray
) -> None:
    outputs = load_engine(quantised, precision="int8", threads=1).run(photos[:, 0])
    np.testing.assert_allclose(outputs.logits, expected.logits, atol=1e-3)


@pytest.mark.parametrize("file", [GRAPH_FILE, CONSTANTS_FILE])
def test_a_changed_graph_is_refused(quantised: Artefact, file: str) -> None:
    path = quantised.folder / file
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelUnusable, match=f"{file} does not match int8.json"):
        load_engine(quantised, precision="int8")


@pytest.mark.parametrize("file", QUANTISED_FILES)
def test_a_missing_graph_is_refused(quantised: Artefact, file: str) -> None:
    (quantised.folder / file).unlink()
    with pytest.raises(ModelUnusable, match=r"walkaround model quantise|fetch the artefact again"):
        load_engine(quantised, precision="int8")


def test_a_graph_of_other_weights_is_refused(quantised: Artefact) -> None:
    card = read_quantised_card(quantised).model_copy(update={"weights_sha256": "0" * 64})
    (quantised.folder / QUANTISED_CARD_FILE).write_text(card.model_dump_json())
    with pytest.raises(ModelUnusable, match="made from other weights"):
        load_engine(quantised, precision="int8")


def test_a_card_that_is_none_is_refused(quantised: Artefact) -> None:
    (quantised.folder / QUANTISED_CARD_FILE).write_text("{}")
    with pytest.raises(ModelUnusable, match="not a readable card"):
        load_engine(quantised, precision="int8")


def test_quantised_answers_are_near(
    quantised: Artefact, expected: ViewOutputs, photos: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf", reason="the extra `quantise` is not installed")
    before = read_quantised_card(quantised)
    card = quantise(quantised, photos[:, 0], datetime(2026, 1, 2, tzinfo=UTC))
    assert card.views == len(photos)
    assert card.graph_sha256 != before.graph_sha256
    outputs = load_engine(quantised, precision="int8").run(photos[:, 0])
    assert np.abs(outputs.logits - expected.logits).max() < 0.5 * np.ptp(expected.logits)
    np.testing.assert_allclose(outputs.heatmaps.mean(axis=(1, 2)) + outputs.constants, outputs.logits, atol=1e-5)
