"""The backbone on OpenVINO, the head in NumPy: the forward pass of int8, in a process without TensorFlow."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from core.domain import Pixels
from core.errors import ModelFailed
from core.model.folding import Head
from core.model.forward import Outputs
from core.model.head import head_and_map
from core.model.openvino_graph import import_openvino

if TYPE_CHECKING:
    import openvino


def build_openvino_forward(
    graph: "openvino.Model", head: Head, *, threads: int | None = None
) -> Callable[[Pixels], Outputs]:
    """The forward pass of a backbone's graph and a head; see `core.model.forward.build_forward` for what it answers.

    A quantised graph computes its convolutions in int8; all else, the head and the heat map too, is float32. The pass
    raises `MemoryError` where the batch does not fit and `ModelFailed` where the device fails otherwise.
    """
    openvino = import_openvino()
    # One stream: a batch at a time on all cores, which is how the engine hands them over.
    options = {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    # Where all cores may be used OpenVINO chooses itself, for instance one thread for two hyperthreads.
    if threads is not None and threads < len(os.sched_getaffinity(0)):
        options["INFERENCE_NUM_THREADS"] = threads
    request = openvino.Core().compile_model(graph, "CPU", options).create_infer_request()

    def run(views: Pixels) -> Outputs:
        try:
            answers = request.infer([views], share_inputs=True)
        except RuntimeError as error:
            raise as_ours(error) from error
        features = answers[0]
        if len(features) != len(views):  # seen where memory ran out: the answers to an earlier batch
            raise MemoryError(f"OpenVINO answered for {len(features)} views of {len(views)}")
        cells = answers[1] if len(answers) > 1 else np.zeros((len(views), 0, 0, 0), np.float32)
        return (*head_and_map(head, features), cells)

    return run


def as_ours(error: RuntimeError) -> Exception:
    """`MemoryError` where OpenVINO, which has no class for it, says that it had too little; else `ModelFailed`."""
    message = str(error)
    if "Failed to allocate" in message or "can't alloc" in message:
        return MemoryError(message)
    return ModelFailed(f"OpenVINO failed: {message:.300}; another attempt or worker may succeed")
