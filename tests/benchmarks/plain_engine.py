"""Our engine with its heat maps, beside Keras under `tf.function`: batches of 32 views of the shipped model's size."""

import numpy as np

from core.domain import Pixels
from core.model.artefact import load_network, open_artefact
from core.model.engine import load_engine
from core.model.network import preprocess
from core.settings import SHIPPED_MODEL
from tests.benchmarks.measured import Measured, Table, interleaved, ratio, spread

BATCH = 32


def measure(small: bool) -> Measured:
    """float32 and bfloat16 against Keras in float32."""
    import tensorflow as tf

    artefact = open_artefact(SHIPPED_MODEL)
    size = artefact.card.input.size
    views: Pixels = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    exact = load_engine(artefact, batch_size=BATCH, precision="float32")
    rough = load_engine(artefact, batch_size=BATCH, precision="bfloat16")
    network = load_network(artefact)
    compiled = tf.function(lambda batch: network(batch, training=False))
    inputs = tf.constant(preprocess(views))
    runs = {
        "Keras under `tf.function`, no heat map": lambda: compiled(inputs).numpy(),
        "ours, float32": lambda: exact.run(views),
        "ours, bfloat16": lambda: rough.run(views),
    }
    times = interleaved(runs, 2 if small else 7)
    plain, ours, short = times.values()
    return Measured(
        ratios={"engine_vs_tf_function": ratio(plain, ours), "engine_bfloat16_vs_tf_function": ratio(plain, short)},
        tables=[
            Table(["engine", "views/s"], [[name, spread([BATCH / t for t in found])] for name, found in times.items()])
        ],
    )
