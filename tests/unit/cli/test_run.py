"""What `walkaround worker` decides before it takes work; in a process of its own, with the shipped model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import SHIPPED_MODEL

pytestmark = pytest.mark.skipif(not SHIPPED_MODEL.exists(), reason=f"no trained model in {SHIPPED_MODEL}")

# The real command; beside it, what TensorFlow was given when it was imported.
WORKER = """
import builtins, os, sys
imported = builtins.__import__

def told(name, *rest, **named):
    if name == "tensorflow" and name not in sys.modules:
        print("imported with", os.environ.get("CUDA_VISIBLE_DEVICES"))
    return imported(name, *rest, **named)

builtins.__import__ = told
from cli.main import main
main()
"""


def test_a_worker_sees_its_gpu_alone_and_does_not_start_without_it(sqlite_url: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "WALKAROUND_STORE": str(tmp_path),
        "WALKAROUND_DATABASE_URL": sqlite_url,
        "WALKAROUND_CONCURRENCY": "9",
        "PYTHONPATH": str(Path.cwd()),
    }
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    command = [sys.executable, "-c", WORKER, "worker", "--queues", "classify", "--gpu", "5", "--concurrency", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2, done.stderr
    assert done.stdout == "imported with 5\n"
    assert "walkaround: WALKAROUND_DEVICE=gpu (or --gpu), but TensorFlow can use no GPU here" in done.stderr
    (sizes,) = [line for line in done.stderr.splitlines() if "worker_sizes" in line]
    assert '"concurrency": 2, ' in sizes, "the option wins over the variable"
    assert '"fetchers": 4, "database_pool": 6' in sizes, "and what follows from it does so"
