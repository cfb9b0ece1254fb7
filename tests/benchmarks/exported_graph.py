"""Starting the engine from its artefact, beside starting the same pass from a graph that was exported before."""

import subprocess
import sys
import tempfile
from pathlib import Path

from core.model.artefact import open_artefact
from core.settings import SHIPPED_MODEL
from tests.benchmarks.measured import ROOT, Measured, Table, spread
from tests.benchmarks.start_up import process_cost, with_bytecode

_EXPORT = """
import sys
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from core.model.artefact import open_artefact, verified_bytes
from core.model.folding import read_network
from core.model.forward import trace_forward
from core.settings import SHIPPED_MODEL
artefact = open_artefact(SHIPPED_MODEL)
network = read_network(verified_bytes(artefact), "shipped")
forward = trace_forward(network, artefact.card.input.size, "float32")
module = tf.Module()
module.forward = forward
module.weights = forward.get_concrete_function().variables
tf.saved_model.save(module, f"{folder}/saved_model")
frozen = convert_variables_to_constants_v2(forward.get_concrete_function())
with open(f"{folder}/frozen.pb", "wb") as file:
    file.write(frozen.graph.as_graph_def().SerializeToString())
with open(f"{folder}/names.txt", "w") as file:
    file.write("\\n".join([frozen.inputs[0].name, *(output.name for output in frozen.outputs)]))
"""
_ONE_PASS = "[output.numpy() for output in forward(tf.zeros((2, size, size, 3), tf.uint8))]"
_STARTS = {
    "as it is: folded from the artefact, sha256 verified": """
import numpy as np
from core.model.artefact import open_artefact
from core.model.engine import load_engine
from core.settings import SHIPPED_MODEL
load_engine(open_artefact(SHIPPED_MODEL)).run(np.zeros((2, size, size, 3), np.uint8))
""",
    "an exported SavedModel of the same pass": f"""
import tensorflow as tf
loaded = tf.saved_model.load(f"{{folder}}/saved_model")
forward = loaded.forward
{_ONE_PASS}
""",
    "an exported graph with the weights frozen in": f"""
import tensorflow as tf
graph = tf.compat.v1.GraphDef()
with open(f"{{folder}}/frozen.pb", "rb") as file:
    graph.ParseFromString(file.read())
inputs, *outputs = open(f"{{folder}}/names.txt").read().split()
wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
forward = wrapped.prune([inputs], outputs)
{_ONE_PASS}
""",
}


def measure(small: bool) -> Measured:
    """Seconds to the end of a first pass and peak resident MB, each in a process of its own, in turn."""
    rounds = 1 if small else 5
    with tempfile.TemporaryDirectory() as folder:
        environment = with_bytecode(folder)
        named = f"folder, size = {folder!r}, {open_artefact(SHIPPED_MODEL).card.input.size}\n"
        subprocess.run([sys.executable, "-c", named + _EXPORT], cwd=ROOT, env=environment, check=True)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in _STARTS}
        for number in range(rounds + 1):
            for name, script in _STARTS.items():
                taken = process_cost(named + script, environment)
                if number:
                    found[name].append(taken)
        sizes = {
            "as it is: folded from the artefact, sha256 verified": 0.0,
            "an exported SavedModel of the same pass": _megabytes(Path(folder) / "saved_model"),
            "an exported graph with the weights frozen in": _megabytes(Path(folder) / "frozen.pb"),
        }
    rows = [
        [name, spread([s for s, _ in runs]), spread([mb for _, mb in runs]), sizes[name]]
        for name, runs in found.items()
    ]
    return Measured(
        tables=[Table(["process to first pass of two views", "s", "peak resident MB", "MB more to ship"], rows)],
        notes=["The exported graphs are read without verifying a sha256, which counts in their favour."],
    )


def _megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6
