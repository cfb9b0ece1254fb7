"""The backbone on OpenVINO, the head in NumPy, beside TensorFlow's answers; a graph in float32 stands in for int8."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import ModelFailed, ModelUnusable
from core.model.artefact import Artefact, open_artefact, verified_bytes
from core.model.engine import Engine, ViewOutputs, load_engine
from core.model.folding import FoldedNetwork, read_network
from core.model.forward import build_forward
from core.model.openvino_forward import as_ours, build_openvino_forward
from core.model.openvino_graph import build_graph
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


def test_without_openvino_the_error_says_what_to_install(quantised: Artefact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelUnusable, match=r"pip install 'walkaround\[openvino\]'"):
        load_engine(quantised, precision="int8")
