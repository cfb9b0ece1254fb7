"""The ratios of the engine's benchmark, from times as the bench venv hands them over."""

from tests.benchmarks import engine
from tests.benchmarks.measured import Spread

NAMES = (
    engine.OURS, engine.OURS_SHORT, engine.OURS_PLAIN, engine.FUNCTION, engine.PREDICT,
    engine.ONNX, engine.OPENVINO, engine.INT8,
)  # fmt: skip


def test_ratios_say_how_many_times_faster_ours_is() -> None:
    times = {name: [2.0, 4.0] for name in NAMES} | {engine.OURS: [1.0, 2.0], engine.INT8: [0.5, 0.5]}
    found = engine.as_measured(
        {"batches": {"8": times}, "views": {"8": 32}, "busy": {engine.OURS: [1.9]}, "versions": "all"}
    )
    assert found.ratios["engine_vs_tf_function"] == Spread(2.0, 2.0, 2.0, 2)
    assert found.ratios["int8_vs_engine"] == Spread(3.0, 2.0, 4.0, 2)
    assert found.ratios["without_heatmap_vs_with"].median == 0.5
    assert found.tables[0].rows[0] == [engine.OURS, Spread(24.0, 16.0, 32.0, 2)]
