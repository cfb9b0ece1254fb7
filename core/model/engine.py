"""Runs a model over views of photos: batches that fit the device, and every heat map checked against its logit."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.domain import Pixels
from core.errors import ModelFailed
from core.model.artefact import Artefact, verified_bytes
from core.model.device import ComputeDevice, DeviceChoice, find_device
from core.model.folding import read_head, read_network
from core.model.forward import Outputs, build_forward
from core.model.heatmap import check_exact
from core.model.openvino_forward import build_openvino_forward
from core.model.precision import Precision, has_bfloat16
from core.model.quantised import read_quantised_graph

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ViewOutputs:
    """What the network says of n views: logits (n,), heat maps (n, rows, columns) and their constants (n,).

    mean(map) + constant = logit, checked for every view. `features` are what the head was given, (n, channels).
    `cells` are the branch's logits of damage and of kinds, (n, cells, cells, 1 + kinds); of no cells without a branch.
    """

    logits: NDArray[np.float32]
    heatmaps: NDArray[np.float32]
    constants: NDArray[np.float32]
    features: NDArray[np.float32]
    cells: NDArray[np.float32]

    @classmethod
    def concatenate(cls, parts: "list[ViewOutputs]") -> Self:
        """The outputs of several batches as those of one."""
        return cls(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.heatmaps for part in parts]),
            np.concatenate([part.constants for part in parts]),
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.cells for part in parts]),
        )


def load_engine(
    artefact: Artefact,
    *,
    precision: Precision = "auto",
    device: DeviceChoice = "auto",
    batch_size: int = 32,
    threads: int | None = None,
    on_device: Callable[[ComputeDevice], object] = lambda _: None,
) -> "Engine":
    """The engine of a verified artefact on the `device` of this process.

    `threads` bounds the cores that it uses: all that the process may use, where None.
    int8 runs on OpenVINO, all else on TensorFlow; each is imported only where it runs, which takes seconds. The device
    is logged, and given to `on_device`.
    Raises `ModelUnusable`, and `SettingsInvalid` where a GPU is asked for and cannot be used.
    """
    found = find_device(device, precision, threads)
    log.info("scores are computed on %s", found)
    on_device(found)
    if precision == "int8":
        return _load_quantised(artefact, batch_size, found.threads)
    on_gpu = found.kind == "gpu"
    if precision == "bfloat16" and not (on_gpu or has_bfloat16()):
        log.warning(
            "this processor has no bfloat16 and takes longer to imitate it than for float32; int8 is faster here"
        )
    network = read_network(verified_bytes(artefact), str(artefact.weights_path))
    inputs = artefact.card.input
    return Engine(build_forward(network, inputs.size, precision), batch_size=batch_size, flip=inputs.flip, pad=on_gpu)


def _load_quantised(artefact: Artefact, batch_size: int, threads: int) -> "Engine":
    graph = read_quantised_graph(artefact)  # first: it says in a moment what is missing
    head = read_head(verified_bytes(artefact), str(artefact.weights_path))
    return Engine(
        build_openvino_forward(graph, head, threads=threads), batch_size=batch_size, flip=artefact.card.input.flip
    )


class Engine:
    """Runs one forward pass in batches. Not thread-safe: one thread owns it."""

    def __init__(
        self, forward: Callable[[Pixels], Outputs], *, batch_size: int = 32, flip: bool = False, pad: bool = False
    ) -> None:
        """`pad` rounds batches up to powers of two, at most to `batch_size`.

        It is for devices that plan each new shape anew, which takes a GPU seconds.

        `flip` scores each view mirrored as well and takes the mean of both.
        """
        self._forward = forward
        self._batch_size = batch_size
        self._flip = flip
        self._pad = pad

    @property
    def batch_size(self) -> int:
        """The most views in one batch: as asked for, less whatever the device's memory turned out not to hold."""
        return self._batch_size

    def run(self, views: Pixels) -> ViewOutputs:
        """Score uint8 RGB views (n, size, size, 3), n > 0. Raises `ModelFailed`."""
        if not self._flip:
            return self._run_all(views)
        plain, mirrored = self._run_all(views), self._run_all(np.ascontiguousarray(views[:, :, ::-1]))
        half = np.float32(0.5)
        return ViewOutputs(
            half * (plain.logits + mirrored.logits),
            half * (plain.heatmaps + mirrored.heatmaps[:, :, ::-1]),
            half * (plain.constants + mirrored.constants),
            half * (plain.features + mirrored.features),
            half * (plain.cells + mirrored.cells[:, :, ::-1]),
        )

    def _run_all(self, views: Pixels) -> ViewOutputs:
        parts: list[ViewOutputs] = []
        done = 0
        while done < len(views):
            batch = views[done : done + self._batch_size]
            try:
                parts.append(self._run_batch(batch))
            except MemoryError as error:
                if len(batch) == 1:
                    raise ModelFailed(
                        "the device has not the memory to score a single photo; free some of it"
                    ) from error
                self._batch_size = len(batch) // 2
                log.warning("out of memory with %d photos in a batch; going on with %d", len(batch), self._batch_size)
                continue
            done += len(batch)
        return ViewOutputs.concatenate(parts)

    def _run_batch(self, batch: Pixels) -> ViewOutputs:
        count = len(batch)
        # One view alone is computed by other kernels and differs in its last bits; from two on, answers are equal to
        # the bit whatever the batch (measured, oneDNN), so that a set scored again gives the same verdict row.
        wanted = 2 ** (count - 1).bit_length() if self._pad else count
        length = min(max(2, wanted), self._batch_size)
        if length > count:
            batch = np.concatenate([batch, np.zeros((length - count, *batch.shape[1:]), np.uint8)])
        logits, heatmaps, constants, features, cells = (output[:count] for output in self._forward(batch))
        check_exact(heatmaps, constants, logits)
        return ViewOutputs(logits, heatmaps, constants, features, cells)
