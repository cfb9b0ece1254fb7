"""Which device computes: what is asked for and not there is an error, and a fall to the CPU is never silent."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.model import device as device_module
from core.model.artefact import Artefact
from core.model.device import ComputeDevice, find_device, pin_gpu, processor_name
from core.model.engine import load_engine

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize("choice", ["auto", "cpu"])
def test_without_a_gpu_the_processor_computes(choice: device_module.DeviceChoice) -> None:
    found = find_device(choice, "auto", None)
    assert found == ComputeDevice("cpu", processor_name(), "float32", "tensorflow", ALL)
    assert str(found) == f"the CPU {processor_name()}, in float32, by tensorflow on {ALL} threads"


def test_a_gpu_that_is_not_there_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(
        SettingsInvalid, match=r"WALKAROUND_DEVICE=gpu .*can use no GPU here \(.*install walkaround\[gpu\]"
    ):
        find_device("gpu", "auto", None)


def test_int8_is_never_asked_for_a_gpu() -> None:
    with pytest.raises(SettingsInvalid, match="int8 computes on the CPU alone"):
        find_device("gpu", "int8", None)
    assert find_device("auto", "int8", 3) == ComputeDevice("cpu", processor_name(), "int8", "openvino", 3)


def test_a_gpu_that_tensorflow_cannot_use_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    find_device("auto", "auto", None)
    assert not caplog.records
    driver = tmp_path / "version"
    driver.touch()
    monkeypatch.setattr(device_module, "_NVIDIA_DRIVER", driver)
    find_device("cpu", "auto", None)
    assert not caplog.records, "the CPU was asked for"
    find_device("auto", "auto", None)
    assert "cannot use: scores are computed on the CPU" in caplog.text


def test_an_engine_says_once_what_it_computes_on(artefact: Artefact, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "core.model.engine")
    told: list[ComputeDevice] = []
    load_engine(artefact, on_device=told.append)
    assert [record.getMessage() for record in caplog.records] == [f"scores are computed on {told[0]}"]


def test_threads_follow_what_is_asked_for(artefact: Artefact) -> None:
    """In a process of its own: TensorFlow takes no other number once it has run."""
    script = f"""
import sys
from pathlib import Path
import numpy as np
from core.model.artefact import open_artefact
from core.model.engine import load_engine
artefact = open_artefact(Path({str(artefact.folder)!r}))
engine = load_engine(artefact, threads=1, on_device=lambda found: print(found.threads))
engine.run(np.zeros((2, 64, 64, 3), np.uint8))
import tensorflow as tf
print(tf.config.threading.get_intra_op_parallelism_threads())
load_engine(artefact, threads=1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.split() == ["1", "1"]


def test_the_processors_name(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nprocessor\t: 1\n")
    assert processor_name(tmp_path / "cpuinfo") == "AMD EPYC 7B13"
    assert processor_name(tmp_path / "none")


def test_views_are_scored_on_it(artefact: Artefact) -> None:
    outputs = load_engine(artefact, device="cpu").run(np.zeros((2, 64, 64, 3), np.uint8))
    assert outputs.logits[0] == outputs.logits[1]


@pytest.mark.parametrize(
    ("number", "visible", "pinned"), [(3, None, "3"), (1, "4,6", "6"), (0, "GPU-8f1c,", "GPU-8f1c")]
)
def test_a_process_is_pinned_to_one_gpu(
    monkeypatch: pytest.MonkeyPatch, number: int, visible: str | None, pinned: str
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.setenv(name, "to be restored")
        monkeypatch.delenv(name)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    pin_gpu(number)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == pinned
    assert os.environ.get("CUDA_DEVICE_ORDER") == ("PCI_BUS_ID" if visible is None else None)


def test_a_gpu_that_a_scheduler_did_not_give_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    with pytest.raises(SettingsInvalid, match=r"--gpu 2: CUDA_VISIBLE_DEVICES is '4,6': there are 2 GPUs"):
        pin_gpu(2)
