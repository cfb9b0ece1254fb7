"""Run in the bench venv by `tests.benchmarks.engine`: every engine on the same views, in turn; seconds as JSON."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from core.domain import Pixels
from core.model.artefact import Artefact, load_network, verified_bytes
from core.model.engine import load_engine
from core.model.folding import FoldedNetwork, read_network
from core.model.forward import trace_forward
from core.model.network import preprocess
from core.model.openvino_forward import build_openvino_forward
from core.model.openvino_graph import build_graph
from core.model.precision import has_bfloat16
from core.settings import SHIPPED_MODEL
from tests.benchmarks import engine as names
from tests.benchmarks.environment import hand_over
from tests.benchmarks.int8_model import quantised_model
from tests.benchmarks.measured import interleaved
from tests.benchmarks.onnx_graph import build_onnx

BATCHES, SMALL = (1, 8, 32), (1, 8)
Engines = dict[str, Callable[[Pixels], object]]


def find(small: bool) -> dict[str, Any]:
    """Seconds by batch size and engine, and the cores they keep busy."""
    artefact = quantised_model(SHIPPED_MODEL, small=small)
    size = artefact.card.input.size
    views = np.random.default_rng(0).integers(0, 256, (max(BATCHES), size, size, 3), dtype=np.uint8)
    engines = _engines(artefact)
    rounds, sizes = (1, SMALL) if small else (5, BATCHES)
    found: dict[str, Any] = {"batches": {}, "views": {}, "versions": _versions()}
    for batch in sizes:
        count = batch if small else max(batch, 8)  # one view alone is over too soon to be timed well
        found["views"][batch] = count
        found["batches"][batch] = interleaved(
            {name: _in_batches(run, views[:count], batch) for name, run in engines.items()}, rounds
        )
    found["busy"] = {
        name: [_cores_busy(run, views[: names.RATIO_BATCH]) for _ in range(rounds)] for name, run in engines.items()
    }
    return found


def _engines(artefact: Artefact) -> Engines:
    network = read_network(verified_bytes(artefact), str(artefact.weights_path))
    size = artefact.card.input.size
    graph = build_graph(network, size)
    return {
        names.OURS: load_engine(artefact, precision="float32", batch_size=max(BATCHES)).run,
        names.OURS_PLAIN: _without_heatmap(network, size),
        **_keras(artefact),
        names.ONNX: _onnx(network, size),
        names.OPENVINO: build_openvino_forward(graph, network.head),
        names.INT8: load_engine(artefact, precision="int8", batch_size=max(BATCHES)).run,
        **(_in_bfloat16(artefact) if has_bfloat16() else {}),
    }


def _in_bfloat16(artefact: Artefact) -> Engines:
    return {names.OURS_SHORT: load_engine(artefact, precision="bfloat16", batch_size=max(BATCHES)).run}


def _without_heatmap(network: FoldedNetwork, size: int) -> Callable[[Pixels], object]:
    import tensorflow as tf

    forward = trace_forward(network, size, "float32")
    # Inlined into a function that asks for the logits alone, the rest is pruned.
    logits = tf.function(lambda views: forward(views)[0], autograph=False)
    return lambda views: logits(tf.constant(views)).numpy()


def _keras(artefact: Artefact) -> Engines:
    import tensorflow as tf

    network = load_network(artefact)
    compiled = tf.function(lambda batch: network(batch, training=False), reduce_retracing=True)
    return {
        names.FUNCTION: lambda views: compiled(tf.constant(preprocess(views))).numpy(),
        names.PREDICT: lambda views: network.predict(preprocess(views), verbose=0, batch_size=len(views)),
    }


def _onnx(network: FoldedNetwork, size: int) -> Callable[[Pixels], object]:
    import onnxruntime

    session = onnxruntime.InferenceSession(build_onnx(network, size), providers=["CPUExecutionProvider"])
    return lambda views: session.run(None, {"pixels": preprocess(views).transpose(0, 3, 1, 2)})[0]


def _in_batches(run: Callable[[Pixels], object], views: Pixels, batch: int) -> Callable[[], None]:
    def once() -> None:
        for start in range(0, len(views), batch):
            run(views[start : start + batch])

    return once


def _cores_busy(run: Callable[[Pixels], object], views: Pixels) -> float:
    """CPU seconds of this process for each second that passed."""
    cpu, wall = time.process_time(), time.perf_counter()
    run(views)
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


def _versions() -> str:
    import keras
    import onnxruntime
    import openvino
    import tensorflow as tf

    return (
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, ONNX Runtime {onnxruntime.__version__}, "
        f"OpenVINO {openvino.__version__.partition('-')[0]}"
    )


if __name__ == "__main__":
    hand_over(find)
