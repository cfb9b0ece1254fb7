"""From a process's start to its first verdict, beside plain Keras under `tf.function`; and commands without either."""

import os
import subprocess
import sys
import tempfile
import time

from tests.benchmarks.measured import ROOT, Measured, Table, ratio, spread

_OURS = """
import numpy as np
from core.model.artefact import open_artefact
from core.model.inference import BatchingClassifier
from core.settings import SHIPPED_MODEL
artefact = open_artefact(SHIPPED_MODEL)
classifier = BatchingClassifier(artefact)
plan = artefact.card.input.plan
classifier.classify([np.zeros((plan.count, plan.size, plan.size, 3), np.uint8)])
"""
_PLAIN = """
import keras, numpy as np, tensorflow as tf
from core.settings import SHIPPED_MODEL
network = keras.saving.load_model(SHIPPED_MODEL / "model.keras", compile=False)
compiled = tf.function(lambda views: network(views, training=False))
compiled(tf.zeros((1, *network.input_shape[1:]))).numpy()
"""
_COMMANDS = {
    "`walkaround --help`": "import sys; sys.argv = ['walkaround', '--help']; from cli.main import app; app()",
    "`walkaround report`": "import sys; sys.argv = ['walkaround', 'report']; from cli.main import app; app()",
    "`beat`, until its schedule is read": "from workers.app import make_app; from core.settings import load_settings; "
    "app = make_app(load_settings()); app.loader.import_default_modules(); app.Beat()",
    "`consume`, until it would connect": "import workers.consumer; from workers.app import make_app; "
    "from core.settings import load_settings; make_app(load_settings())",
}


def measure(small: bool) -> Measured:
    """Seconds and peak resident MB, each in a process of its own, in turn."""
    rounds = 1 if small else 5
    with tempfile.TemporaryDirectory() as folder:
        environment = with_bytecode(folder) | {
            "WALKAROUND_DATABASE_URL": f"sqlite:///{folder}/empty.sqlite",
            "WALKAROUND_STORE": folder,
        }
        subprocess.run([sys.executable, "-m", "cli.main", "db", "upgrade"], cwd=ROOT, env=environment, check=True)
        scripts = {"plain": _PLAIN, "ours": _OURS, **_COMMANDS}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in scripts}
        for number in range(rounds + 1):
            for name, script in scripts.items():
                taken = process_cost(script, environment)
                if number:
                    found[name].append(taken)
    times = {name: [seconds for seconds, _ in runs] for name, runs in found.items()}
    sizes = {name: [size for _, size in runs] for name, runs in found.items()}
    names = {
        "plain": "plain: Keras loads the model, `tf.function`, a photo",
        "ours": "ours, to the first verdict",
    }
    rows = [[names.get(name, name), spread(times[name]), spread(sizes[name])] for name in scripts]
    return Measured(
        ratios={
            "start_up_time_vs_keras": ratio(times["ours"], times["plain"]),
            "start_up_memory_vs_keras": ratio(sizes["ours"], sizes["plain"]),
        },
        tables=[Table(["from the process's start", "s", "peak resident MB"], rows)],
        notes=[
            "In these two ratios less is better: ours divided by plain Keras.",
            "With compiled bytecode, as pip and the image leave it; without any, a command takes about twice as long.",
        ],
    )


def with_bytecode(folder: str) -> dict[str, str]:
    """The environment of a program as it is installed: pip compiles what it installs, and so does the Dockerfile.

    The bytecode lies in `folder`; a first run that does not count fills it.
    """
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return ours | {"PYTHONPYCACHEPREFIX": f"{folder}/bytecode", "TF_CPP_MIN_LOG_LEVEL": "2"}


def process_cost(script: str, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and peak resident MB of a Python that runs the script."""
    # Of this program alone: getrusage's maximum still holds what the parent had when it started this process.
    last = "\nprint(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0], file=sys.stderr)"
    code = f"import sys\ntry:\n exec({script!r})\nexcept SystemExit:\n pass{last}"
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - start, int(done.stderr.splitlines()[-1]) / 1024
