"""The engine beside its peers: `tf.function`, `predict`, ONNX Runtime, OpenVINO; in the bench venv, one process."""

from typing import Any

from tests.benchmarks.environment import found_by
from tests.benchmarks.measured import Measured, Table, ratio, spread

OURS, OURS_SHORT, OURS_PLAIN = "ours, float32", "ours, bfloat16", "ours, float32, no heat map"
FUNCTION, PREDICT = "Keras under `tf.function`, no heat map", "Keras `predict`, no heat map"
ONNX = "ONNX Runtime, float32, no heat map"
OPENVINO = "ours on OpenVINO, float32"  # what int8 is made from: no worker serves it
INT8 = "ours on OpenVINO, int8"
RATIO_BATCH = 8  # as serving has them at 448 pixels
# By name: the time of the first by the time of the second.
RATIOS = {
    "engine_vs_tf_function": (FUNCTION, OURS),
    "engine_bfloat16_vs_tf_function": (FUNCTION, OURS_SHORT),
    "engine_vs_onnxruntime": (ONNX, OURS),
    "openvino_vs_engine": (OURS, OPENVINO),
    "openvino_vs_tf_function": (FUNCTION, OPENVINO),
    "openvino_vs_onnxruntime": (ONNX, OPENVINO),
    "int8_vs_engine": (OURS, INT8),
    "int8_vs_engine_bfloat16": (OURS_SHORT, INT8),
    "without_heatmap_vs_with": (OURS, OURS_PLAIN),
}


def measure(small: bool) -> Measured:
    """Views per second by batch size, what the heat map costs, and how far each is from the next."""
    return as_measured(found_by("engine_peers", small=small))


def as_measured(found: dict[str, Any]) -> Measured:
    """Tables and ratios of what the process in the bench venv wrote: {"batches": {size: {engine: seconds}}, ...}."""
    batches: dict[int, dict[str, list[float]]] = {int(size): times for size, times in found["batches"].items()}
    views: dict[int, int] = {int(size): number for size, number in found["views"].items()}
    times = batches[RATIO_BATCH]
    rows = [
        [engine, *(spread([views[size] / t for t in measured[engine]]) for size, measured in batches.items())]
        for engine in times
    ]
    return Measured(
        ratios={
            name: ratio(times[theirs], times[ours])
            for name, (theirs, ours) in RATIOS.items()
            if theirs in times and ours in times
        },
        tables=[
            Table(
                ["views of the shipped model's size per second", *(f"batches of {size}" for size in batches)],
                rows,
            ),
            Table(
                [f"batches of {RATIO_BATCH}", "cores busy"],
                [[engine, spread(busy)] for engine, busy in found["busy"].items()],
            ),
        ],
        notes=[
            f"Ratios are of batches of {RATIO_BATCH}. All in one process, in turn; {found['versions']}. "
            "`without_heatmap_vs_with` is the time of a pass with its exact heat map by the time of one without: 1.05 "
            "would be 5 % for the map."
            + ("" if OURS_SHORT in times else " This processor has no bfloat16, so that it is left out.")
        ],
        figures=found,
    )
