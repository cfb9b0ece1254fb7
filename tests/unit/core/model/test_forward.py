"""TensorFlow's pass: its failures are errors of ours, and what holds for the process is set once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from core.errors import ModelFailed
from core.machine import available_cores
from core.model.artefact import Artefact, verified_bytes
from core.model.folding import read_network
from core.model.forward import Outputs, build_forward, gpu_name, prepare_tensorflow, tensorflow_threads
from core.model.network import preprocess


@pytest.fixture(scope="module")
def run(artefact: Artefact) -> Callable[..., Outputs]:
    return build_forward(read_network(verified_bytes(artefact), "here"), 64)


def test_colours_are_prepared_as_in_training(run: Callable[..., Outputs], network: Any, colours: np.ndarray) -> None:
    expected = network.layers[0](preprocess(colours), training=False).numpy().mean(axis=(1, 2))
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(run(colours)[3], expected, atol=1e-4)


def test_a_failure_of_tensorflow_is_one_of_the_device(
    run: Callable[..., Outputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    def fail(*_: object) -> None:
        raise tf.errors.InternalError(None, None, "CUDA_ERROR_LAUNCH_FAILED")

    monkeypatch.setattr(tf, "constant", fail)
    with pytest.raises(ModelFailed, match="TensorFlow failed: CUDA_ERROR_LAUNCH_FAILED"):
        run(np.zeros((2, 64, 64, 3), np.uint8))


def test_too_little_memory_is_told_apart_so_that_batches_halve(
    run: Callable[..., Outputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    def fail(*_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(tf, "constant", fail)
    with pytest.raises(MemoryError, match="OOM"):
        run(np.zeros((2, 64, 64, 3), np.uint8))


def test_preparing_again_changes_nothing(run: Callable[..., Outputs]) -> None:
    """A process that already computes may open another engine with the same sizes."""
    run(np.zeros((2, 64, 64, 3), np.uint8))
    prepare_tensorflow()
    prepare_tensorflow(available_cores())
    assert tensorflow_threads() == available_cores()
    assert gpu_name() is None
