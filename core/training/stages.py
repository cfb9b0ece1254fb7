"""The stages that the branch reads, computed once for each view and kept on disk.

conv3 and conv4 are kept reduced to their principal components, whitened: a linear map, so that the trained branch is
merged with it and serving never sees it. conv5 is kept whole.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.domain import Pixels
from core.errors import DatasetInvalid
from core.model.folding import FoldedNetwork
from core.model.forward import run_step
from core.model.network import preprocess
from core.model.outline_branch import CELL, STAGES
from core.training.dataset import Sample
from core.training.outlines import CHANNELS, Coverage, Regions
from core.training.views import View, render

Floats = NDArray[np.float32]
Stages = tuple[Floats, Floats, Floats]
RunStages = Callable[[Pixels], Stages]
Batch = tuple[NDArray[np.float16], NDArray[np.float16], NDArray[np.float16], Coverage]
KEPT = (128, 256)  # components of conv3 and conv4
BATCH = 16
_FOR_COMPONENTS = 256  # views from which the components are computed


@dataclass(frozen=True, slots=True)
class Reduction:
    """components = (x - mean) @ directions, for x (..., channels)."""

    mean: Floats
    directions: Floats

    @classmethod
    def fit(cls, values: Floats, kept: int) -> "Reduction":
        """The leading principal components of (n, channels), each scaled to a variance of one."""
        mean = values.mean(axis=0, dtype=np.float64)
        covariance = np.cov(values.T.astype(np.float64))
        variances, vectors = np.linalg.eigh(covariance)
        chosen = vectors[:, ::-1][:, :kept] / np.sqrt(variances[::-1][:kept] + 1e-3 * variances.max())
        return cls(mean.astype(np.float32), chosen.astype(np.float32))

    def apply(self, values: Floats) -> NDArray[np.float16]:
        """The components of (..., channels)."""
        flat = values.reshape(-1, values.shape[-1]) @ self.directions - self.mean @ self.directions
        components: NDArray[np.float16] = flat.reshape(*values.shape[:-1], -1).astype(np.float16)
        return components

    def merge(self, kernel: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """A 1 x 1 convolution of the components as one of the values: kernel (1, 1, kept, out), bias (out,)."""
        whole = self.directions @ kernel[0, 0]
        return whole[None, None], bias - self.mean @ whole


class StageCache:
    """Stages and known damage of planned views, filled in order; a killed run goes on where it stopped."""

    def __init__(
        self,
        folder: Path,
        samples: Sequence[Sample],
        views: Sequence[View],
        outlines: Mapping[str, Regions],
        size: int,
        seed: int,
    ) -> None:
        """`folder` belongs to this cache alone. Raises `DatasetInvalid` where it holds another plan's views."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._samples, self.views, self._outlines = folder, samples, views, outlines
        self._size, self._seed = size, seed
        self._identity = self._plan_identity()
        self.done = self._read_progress()
        cells = size // CELL
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            "conv3": ((cells, cells, KEPT[0]), np.float16),
            "conv4": ((cells // 2, cells // 2, KEPT[1]), np.float16),
            "conv5": ((cells // 4, cells // 4, STAGES["conv5_block3_out"]), np.float16),
            "known": ((cells, cells, CHANNELS), np.uint8),
        }
        mode: Any = "r+" if self.done else "w+"
        self._arrays = {
            name: np.lib.format.open_memmap(folder / f"{name}.npy", mode, kind, (len(views), *shape))
            for name, (shape, kind) in shapes.items()
        }

    def fill(
        self,
        stages: RunStages,
        reductions: tuple[Reduction, Reduction],
        advance: Callable[[int, int], object] = lambda *_: None,
    ) -> None:
        """Compute what is missing with `stages`; `advance` gets how many views are done, and of how many."""
        for start, pixels, known in self._batches():
            end = start + len(pixels)
            fine, coarse, deep = stages(pixels)
            self._arrays["conv3"][start:end] = reductions[0].apply(fine)
            self._arrays["conv4"][start:end] = reductions[1].apply(coarse)
            self._arrays["conv5"][start:end] = deep
            self._arrays["known"][start:end] = known
            self.done = end
            if (start // BATCH) % 32 == 31 or end == len(self.views):
                self._write_progress()
            advance(end, len(self.views))

    def read(self, views: NDArray[np.integer]) -> Batch:
        """conv3 and conv4 (reduced), conv5, and known damage of these views."""
        conv3, conv4, conv5, known = (np.stack([array[view] for view in views]) for array in self._arrays.values())
        return conv3, conv4, conv5, known

    def render(self, view: int) -> tuple[Pixels, Coverage]:
        """Pixels and known damage of one view."""
        planned = self.views[view]
        sample = self._samples[planned.sample]
        regions = self._outlines.get(sample.name, ())
        return render(sample, planned, regions, self._size, self._size // CELL, self._seed)

    def _batches(self) -> Iterator[tuple[int, Pixels, Coverage]]:
        """What is missing, a batch at a time; the next one is drawn while the network looks at this one."""
        starts = range(self.done, len(self.views), BATCH)
        with ThreadPoolExecutor(1, thread_name_prefix="render") as renderer:
            ahead: Future[tuple[Pixels, Coverage]] | None = None
            for start in starts:
                pixels, known = ahead.result() if ahead else self._render(start)
                ahead = renderer.submit(self._render, start + BATCH) if start != starts[-1] else None
                yield start, pixels, known

    def _render(self, start: int) -> tuple[Pixels, Coverage]:
        rendered = [self.render(view) for view in range(start, min(start + BATCH, len(self.views)))]
        return np.stack([pixels for pixels, _ in rendered]), np.stack([known for _, known in rendered])

    def _plan_identity(self) -> str:
        names = [sample.name for sample in self._samples]
        plan = [names, [list(asdict(view).values()) for view in self.views], self._size, self._seed]
        return hashlib.sha256(json.dumps(plan).encode()).hexdigest()

    def _read_progress(self) -> int:
        path = self._folder / "progress.json"
        if not path.exists():
            return 0
        progress = json.loads(path.read_text())
        if progress["plan"] != self._identity:
            raise DatasetInvalid(
                f"{self._folder} holds features of other data or settings; remove it or choose another"
            )
        return int(progress["done"])

    def _write_progress(self) -> None:
        """Only what has reached the disk counts as done."""
        for array in self._arrays.values():
            array.flush()
        temporary = self._folder / "progress.json.new"
        temporary.write_text(json.dumps({"plan": self._identity, "done": self.done}))
        temporary.replace(self._folder / "progress.json")


def frozen_stages(network: FoldedNetwork) -> RunStages:
    """The backbone as one function of uint8 RGB (n, size, size, 3): the outputs of conv3, conv4 and conv5, float32."""
    import tensorflow as tf

    weights = {
        name: (tf.constant(folded.kernel), tf.constant(folded.bias)) for name, folded in network.convolutions.items()
    }

    @tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(inputs: "tf.Tensor") -> list["tf.Tensor"]:
        outputs: dict[str, Any] = {}
        for step in network.steps:
            arrived = [outputs[name] for name in step.inputs] or [inputs]
            outputs[step.name] = run_step(step, arrived, weights.get(step.name))
        return [outputs[name] for name in STAGES]

    def run(pixels: Pixels) -> Stages:
        conv3, conv4, conv5 = (stage.numpy() for stage in forward(tf.constant(preprocess(pixels))))
        return conv3, conv4, conv5

    return run


def read_reductions(path: Path, cache: StageCache, stages: RunStages, seed: int) -> tuple[Reduction, Reduction]:
    """Reductions of conv3 and conv4, kept in `path` (.npz), from cells of the first of the cache's views."""
    if not path.exists():
        fine, coarse = _sample_cells(cache, stages, np.random.default_rng([seed, 4]))
        fitted = (Reduction.fit(fine, KEPT[0]), Reduction.fit(coarse, KEPT[1]))
        temporary = path.with_name(f"new-{path.name}")
        np.savez(temporary, *(part for reduction in fitted for part in (reduction.mean, reduction.directions)))
        temporary.replace(path)
    with np.load(path) as stored:
        parts = [stored[f"arr_{number}"] for number in range(4)]
    return Reduction(parts[0], parts[1]), Reduction(parts[2], parts[3])


def _sample_cells(cache: StageCache, stages: RunStages, rng: np.random.Generator) -> tuple[Floats, Floats]:
    parts: tuple[list[Floats], list[Floats]] = ([], [])
    for start in range(0, min(_FOR_COMPONENTS, len(cache.views)), BATCH):
        pixels = np.stack([cache.render(view)[0] for view in range(start, min(start + BATCH, len(cache.views)))])
        for part, output, share in zip(parts, stages(pixels), (0.03, 0.12), strict=False):
            cells = output.reshape(-1, output.shape[-1])
            part.append(cells[rng.random(len(cells)) < share])
    return np.concatenate(parts[0]), np.concatenate(parts[1])
