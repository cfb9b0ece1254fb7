"""The engine beside its peers: `tf.function`, `predict`, ONNX Runtime, OpenVINO; in the bench venv, one process."""

from typing import Any

from tests.benchmarks.environment import found_by
from tests.benchmarks.measured import Measured, Table, ratio, spread

OURS, OURS_SHORT, OURS_PLAIN = "ours, float32", "ours, bfloat16", "ours, float32, no heat map"
FUNCTION, PREDICT = "Keras under `tf.function`, no heat map", "Keras `predict`, no heat map"
ONNX = "ONNX Runtime, float32, no heat map"
OPENVINO, OPENVINO_SHORT = "ours on OpenVINO, float32", "ours on OpenVINO, bfloat16"
INT8 = "ours on OpenVINO, int8"
RATIO_BATCH = 32


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
            "engine_vs_tf_function": ratio(times[FUNCTION], times[OURS]),
            "engine_bfloat16_vs_tf_function": ratio(times[FUNCTION], times[OURS_SHORT]),
            "engine_vs_onnxruntime": ratio(times[ONNX], times[OURS]),
            "engine_vs_openvino_bf16": ratio(times[OPENVINO_SHORT], times[OURS_SHORT]),
            "int8_vs_engine": ratio(times[OURS], times[INT8]),
            "int8_vs_engine_bfloat16": ratio(times[OURS_SHORT], times[INT8]),
            "without_heatmap_vs_with": ratio(times[OURS], times[OURS_PLAIN]),
        },
        tables=[
            Table(
                ["views of the shipped model's size per second", *(f"batches of {size}" for size in batches)],
                rows,
            ),
            Table(
                ["batches of 32", "cores busy"],
                [[engine, spread(busy)] for engine, busy in found["busy"].items()],
            ),
        ],
        notes=[
            f"Ratios are of batches of {RATIO_BATCH}. All in one process, in turn; {found['versions']}. "
            "`without_heatmap_vs_with` is the time of a pass with its exact heat map by the time of one without: 1.05 "
            "would be 5 % for the map."
        ],
        figures=found,
    )
