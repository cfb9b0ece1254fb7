"""Our engine with its heat maps, beside Keras under `tf.function`: batches of 8 views of the shipped model's size."""

from collections.abc import Callable
from functools import partial

import numpy as np

from core.domain import Pixels
from core.model.artefact import load_network, open_artefact
from core.model.engine import load_engine
from core.model.network import preprocess
from core.model.precision import Precision, has_bfloat16
from core.settings import SHIPPED_MODEL
from tests.benchmarks.measured import Measured, Table, interleaved, ratio, spread

BATCH = 8


def measure(small: bool) -> Measured:
    """float32, and bfloat16 where the processor has it, against Keras in float32."""
    import tensorflow as tf

    artefact = open_artefact(SHIPPED_MODEL)
    size = artefact.card.input.size
    views: Pixels = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    precisions: list[Precision] = ["float32", "bfloat16"] if has_bfloat16() else ["float32"]
    engines = {precision: load_engine(artefact, batch_size=BATCH, precision=precision) for precision in precisions}
    network = load_network(artefact)
    compiled = tf.function(lambda batch: network(batch, training=False))
    inputs = tf.constant(preprocess(views))
    runs: dict[str, Callable[[], object]] = {
        "Keras under `tf.function`, no heat map": lambda: compiled(inputs).numpy(),
        **{f"ours, {precision}": partial(engine.run, views) for precision, engine in engines.items()},
    }
    times = interleaved(runs, 2 if small else 7)
    plain, *ours = times.values()
    names = ("engine_vs_tf_function", "engine_bfloat16_vs_tf_function")
    return Measured(
        ratios={name: ratio(plain, found) for name, found in zip(names, ours, strict=False)},
        tables=[
            Table(["engine", "views/s"], [[name, spread([BATCH / t for t in found])] for name, found in times.items()])
        ],
    )
