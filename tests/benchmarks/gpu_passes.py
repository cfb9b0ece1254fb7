"""The network as a GPU may run it: our own pass under XLA, or Keras on whichever backend is there."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.domain import Pixels
from core.model.artefact import Artefact, load_network, verified_bytes
from core.model.folding import read_network
from core.model.forward import gpu_name, prepare_tensorflow, trace_forward
from core.model.network import build_network, preprocess

Precision = Literal["float32", "bfloat16", "float16"]
_PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class Pass:
    """uint8 views (n, size, size, 3) to probabilities (n,); `ours` is the engine's own pass, heat maps with it."""

    name: str
    precision: Precision
    run: Callable[[Pixels], NDArray[np.floating]]
    made_by: str
    ours: bool


def open_passes(artefact: Artefact) -> list[Pass]:
    """One for each precision: ours where TensorFlow is Keras' backend, else Keras' own."""
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow" and find_spec("tensorflow"):
        return _our_passes(artefact)
    return keras_passes(artefact)


def _our_passes(artefact: Artefact) -> list[Pass]:
    prepare_tensorflow()
    import tensorflow as tf

    network = read_network(verified_bytes(artefact), str(artefact.weights_path))
    size, xla = artefact.card.input.size, gpu_name() is not None

    def pass_of(precision: Precision, *, xla: bool) -> Pass:
        forward = trace_forward(network, size, precision, xla=xla)
        name = f"ours, {precision}" + (", XLA" if xla else "")

        def run(views: Pixels) -> NDArray[np.floating]:
            logits, *_ = (output.numpy() for output in forward(tf.constant(views)))
            return np.asarray(1 / (1 + np.exp(-logits)))

        return Pass(name, precision, run, f"TensorFlow {tf.__version__}", ours=True)

    plain = [pass_of("float32", xla=False)]
    # Convolutions in float16 are for GPUs alone: a CPU has none that are fast.
    return plain + [pass_of(precision, xla=xla) for precision in (_PRECISIONS if xla else _PRECISIONS[1:2])]


def keras_passes(artefact: Artefact) -> list[Pass]:
    """The network as Keras runs it, float32 and the two mixed policies, with the artefact's weights."""
    import keras

    weights = load_network(artefact).get_weights()
    made_by = f"Keras {keras.__version__} on {keras.backend.backend()}"

    def pass_of(precision: Precision) -> Pass:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
        try:
            network: Any = build_network(artefact.card.input.size)
        finally:
            keras.config.set_dtype_policy(before)
        network.set_weights(weights)

        def run(views: Pixels) -> NDArray[np.floating]:
            return np.asarray(network.predict_on_batch(preprocess(views)), np.float32)[:, 0]

        return Pass(f"Keras, {precision}", precision, run, made_by, ours=False)

    return [pass_of(precision) for precision in _PRECISIONS[:2]]


def reference(artefact: Artefact, views: Pixels) -> NDArray[np.floating]:
    """Probabilities in float32 on the CPU: by OpenVINO, which is at no GPU whatever else is installed."""
    from core.model.openvino_forward import build_openvino_forward
    from core.model.openvino_graph import build_graph

    network = read_network(verified_bytes(artefact), str(artefact.weights_path))
    logits, *_ = build_openvino_forward(build_graph(network, artefact.card.input.size), network.head)(views)
    return np.asarray(1 / (1 + np.exp(-logits)))


def ceiling(precision: Precision, side: int) -> float:
    """Floating-point operations a second of a product of two square matrices of this side, on Keras' own device."""
    import keras

    from tests.benchmarks.measured import seconds

    one = keras.ops.ones((side, side), dtype=precision)

    def product() -> None:
        found = one
        for _ in range(8):  # in a chain, so that none can be left out
            found = keras.ops.matmul(found, one) * (1 / side)
        float(keras.ops.convert_to_numpy(keras.ops.cast(found[0, 0], "float32")))

    product()
    return 8 * 2 * side**3 / min(seconds(product) for _ in range(5))
