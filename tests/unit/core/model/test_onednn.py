"""oneDNN is asked for wherever TensorFlow runs: without it, batches of different sizes differ in their last bits."""

import os
import subprocess
import sys


def test_tensorflow_computes_by_onednn() -> None:
    program = (
        "import core.model.engine; from tensorflow.python.framework import test_util;print(test_util.IsMklEnabled())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "True"
