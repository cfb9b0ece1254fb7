"""Which device computes the scores: asked for, found, and named for the log, the metrics and `walkaround doctor`."""

import logging
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import SettingsInvalid
from core.machine import available_cores
from core.model.forward import gpu_name, prepare_tensorflow, tensorflow_threads
from core.model.precision import Precision

log = logging.getLogger(__name__)

DeviceChoice = Literal["auto", "cpu", "gpu"]
_CPUINFO = Path("/proc/cpuinfo")
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class ComputeDevice:
    """A device and how it computes; `threads` counts those of one operation on the CPU."""

    kind: Literal["cpu", "gpu"]
    name: str
    precision: str
    runtime: str
    threads: int

    def __str__(self) -> str:
        on = f" on {self.threads} threads" if self.kind == "cpu" else ""
        return f"the {self.kind.upper()} {self.name}, in {self.precision}, by {self.runtime}{on}"


def find_device(choice: DeviceChoice, precision: Precision, threads: int | None) -> ComputeDevice:
    """The device that an engine with these settings computes on. Imports TensorFlow where that computes.

    `threads` are one for each core that the process may use, where None.
    Raises `SettingsInvalid` where a GPU is asked for and cannot be used; a GPU that `auto` cannot use is logged.
    """
    arithmetic = "float32" if precision == "auto" else precision
    if precision == "int8":
        if choice == "gpu":
            raise SettingsInvalid(
                "WALKAROUND_DEVICE=gpu (or --gpu), but int8 computes on the CPU alone: choose another "
                "WALKAROUND_PRECISION, or WALKAROUND_DEVICE=cpu"
            )
        return ComputeDevice("cpu", processor_name(), arithmetic, "openvino", threads or available_cores())
    prepare_tensorflow(threads, use_gpu=choice != "cpu")
    gpu = gpu_name()
    if gpu is not None:
        return ComputeDevice("gpu", gpu, arithmetic, "tensorflow", tensorflow_threads())
    if choice == "gpu":
        raise SettingsInvalid(
            f"WALKAROUND_DEVICE=gpu (or --gpu), but TensorFlow can use no GPU here ({_why_no_gpu()}); correct that, or "
            "set WALKAROUND_DEVICE=cpu"
        )
    if choice == "auto" and _NVIDIA_DRIVER.exists():
        log.warning("this machine has an NVIDIA GPU that TensorFlow cannot use: scores are computed on the CPU")
    return ComputeDevice("cpu", processor_name(), arithmetic, "tensorflow", tensorflow_threads())


def pin_gpu(number: int) -> None:
    """Have this process see one GPU alone, by its number in `nvidia-smi`; to be called before TensorFlow is imported.

    Where CUDA_VISIBLE_DEVICES already names some, as a scheduler sets it, `number` counts these from 0.
    Raises `SettingsInvalid` where they are fewer.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as nvidia-smi counts them
        os.environ["CUDA_VISIBLE_DEVICES"] = str(number)
        return
    names = [name for name in visible.split(",") if name]
    if number >= len(names):
        raise SettingsInvalid(
            f"--gpu {number}: CUDA_VISIBLE_DEVICES is {visible!r}: there are {len(names)} GPUs for this process, "
            "counted from 0; choose one of these"
        )
    os.environ["CUDA_VISIBLE_DEVICES"] = names[number]


def processor_name(cpuinfo: Path = _CPUINFO) -> str:
    """The processor's name as Linux gives it, else its architecture."""
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            field, _, value = line.partition(":")
            if field.strip() == "model name":
                return value.strip()
    return platform.machine()


def _why_no_gpu() -> str:
    import tensorflow as tf

    if not tf.test.is_built_with_cuda():
        return "this TensorFlow is built for the CPU: install walkaround[gpu]"
    if not _NVIDIA_DRIVER.exists():
        return "there is no NVIDIA driver here: see `nvidia-smi`; a container needs NVIDIA's container toolkit"
    return f"see `nvidia-smi`; CUDA_VISIBLE_DEVICES is {os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}"
