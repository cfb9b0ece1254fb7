"""The network on OpenVINO, beside the TensorFlow engine's answers. The graph stands in for a quantised one."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelFailed, ModelUnusable
from core.model.artefact import Artefact, open_artefact, verified_bytes
from core.model.engine import Engine, ViewOutputs, load_engine
from core.model.folding import FoldedNetwork, read_head, read_network
from core.model.forward import build_forward
from core.model.openvino_forward import as_ours, build_openvino_forward
from core.model.openvino_graph import build_graph
from core.model.quantised import CONSTANTS_FILE, GRAPH_FILE, QUANTISED_CARD_FILE, QUANTISED_FILES, read_quantised_card
from core.training.quantisation import choose_evenly, quantise
from tests.quantised import write_as_quantised

SIZE = 64
PARTS = ("logits", "heatmaps", "constants", "features")

pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


@pytest.fixture(scope="module")
def folded(artefact: Artefact) -> FoldedNetwork:
    return read_network(verified_bytes(artefact), "here")


@pytest.fixture(scope="module")
def engine(folded: FoldedNetwork) -> Engine:
    return Engine(build_openvino_forward(build_graph(folded, SIZE), folded.head))


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


@pytest.mark.parametrize("part", PARTS)
def test_it_answers_as_tensorflow_does(engine: Engine, expected: ViewOutputs, photos: np.ndarray, part: str) -> None:
    found, wanted = getattr(engine.run(photos[:, 0]), part), getattr(expected, part)
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    assert np.ptp(wanted) > 1e-3
    np.testing.assert_allclose(found, wanted, atol=2e-4 * max(1.0, float(np.abs(wanted).max())))


def test_bfloat16_is_close_and_its_maps_are_exact(
    folded: FoldedNetwork, expected: ViewOutputs, photos: np.ndarray
) -> None:
    forward = build_openvino_forward(build_graph(folded, SIZE), folded.head, precision="bfloat16")
    outputs = Engine(forward).run(photos[:, 0])
    np.testing.assert_allclose(outputs.logits, expected.logits, atol=0.2)
    np.testing.assert_allclose(outputs.heatmaps.mean(axis=(1, 2)) + outputs.constants, outputs.logits, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_company_changes_no_answer(engine: Engine, photos: np.ndarray, count: int) -> None:
    together = engine.run(photos[:, 0])
    np.testing.assert_allclose(engine.run(photos[:count, 0]).logits, together.logits[:count], atol=1e-5)


def test_answers_outlive_the_next_batch(engine: Engine, photos: np.ndarray) -> None:
    first = engine.run(photos[:3, 0])
    kept = first.features.copy()
    engine.run(photos[3:6, 0])
    np.testing.assert_array_equal(first.features, kept)


def test_what_the_device_refuses_is_an_error_of_ours(engine: Engine) -> None:
    with pytest.raises(ModelFailed, match="OpenVINO failed"):
        engine.run(np.zeros((2, 32, 32, 3), np.uint8))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            "Check 'ptr' failed at src/plugins/intel_cpu/src/cpu_memory.cpp:257:\nFailed to allocate 9 bytes",
            MemoryError,
        ),
        ("[CPU] Convolution node with name 'Convolution_205' can't alloc", MemoryError),
        ("The input tensor size is not equal to the model input type", ModelFailed),
    ],
)
def test_too_little_memory_is_told_from_other_failures(said: str, kind: type[Exception]) -> None:
    """The first two as OpenVINO 2026.4 said them with its address space bounded."""
    assert type(as_ours(RuntimeError(said))) is kind


def test_int8_loads_what_lies_beside_the_weights(
    quantised: Artefact, expected: ViewOutputs, photos: np.ndarray
) -> None:
    outputs = load_engine(quantised, precision="int8", threads=1).run(photos[:, 0])
    np.testing.assert_allclose(outputs.logits, expected.logits, atol=1e-3)


def test_the_process_holds_no_tensorflow(quantised: Artefact) -> None:
    program = (
        "import sys; from pathlib import Path; from core.model.artefact import open_artefact;"
        "from core.model.engine import load_engine;"
        "load_engine(open_artefact(Path(sys.argv[1])), precision='int8');"
        "print(sorted({'tensorflow', 'keras', 'nncf'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(quantised.folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


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


def test_without_openvino_the_error_says_what_to_install(quantised: Artefact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelUnusable, match=r"pip install 'walkaround\[openvino\]'"):
        load_engine(quantised, precision="int8")


def test_the_head_is_read_alone(artefact: Artefact, folded: FoldedNetwork) -> None:
    head: Any = read_head(verified_bytes(artefact), "here")
    for name in head.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(head, name), getattr(folded.head, name))


def test_samples_are_chosen_over_the_whole_length() -> None:
    assert choose_evenly(range(100), 3) == [0, 50, 99]
    assert choose_evenly([5, 6], 9) == [5, 6]


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
