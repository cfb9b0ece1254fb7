"""The frozen stages' output, computed once for each view and kept on disk, so that an epoch runs conv5 and head alone.

Exact but for its number format: float16, from a pass in bfloat16 where the processor is fast at it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.domain import Pixels, ViewPlan
from core.errors import DatasetInvalid
from core.model.folding import Convolution, fold_normalisation, normalisation, read_steps
from core.model.network import FROZEN_LAYERS, preprocess
from core.photos.decode import make_views, min_side_for
from core.training.augmentation import CLOSE_UP, WIDE, augment
from core.training.dataset import Sample
from core.training.tail import FROZEN_OUTPUT, features_side, read_positions

if TYPE_CHECKING:
    import keras

Kind = Literal["clean", "mirrored", "wide", "close_up"]
Features = NDArray[np.float32]
CHANNELS = 1024
BATCH = 32  # views
SAVED_EVERY = 32  # steps between two marks of progress


@dataclass(frozen=True, slots=True)
class Look:
    """One way of looking at a sample: which, how, and the number of its seed. `painted` adds synthetic damage."""

    sample: int
    kind: Kind
    number: int = 0
    painted: bool = False


def plan_training_looks(samples: Sequence[Sample], augmented: int, painted: float) -> list[Look]:
    """Each photo clean and mirrored, then `augmented` looks; a share of the intact ones also with as many painted ones.

    Damaged photos keep wide crops only, for a close-up may leave the damage out; intact ones alternate, and so do
    their painted twins, so that closeness tells nothing.
    """
    looks = []
    intact = 0
    for index, sample in enumerate(samples):
        looks += [Look(index, "clean"), Look(index, "mirrored")]
        for number in range(augmented):
            close = not sample.damaged and (number + intact) % 2 == 1
            looks.append(Look(index, "close_up" if close else "wide", number))
            if not sample.damaged and _name_number(sample) < painted * 2**32:
                looks.append(Look(index, "close_up" if close else "wide", augmented + number, painted=True))
        intact += not sample.damaged
    return looks


def render(sample: Sample, look: Look, plan: ViewPlan, seed: int) -> Pixels:
    """The views of a look, uint8 RGB (plan.count, size, size, 3). Raises `PhotoRefused`, `DatasetInvalid`."""
    pixels = sample.pixels(min_side_for(plan))
    if look.kind == "mirrored":
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    elif look.kind != "clean":
        rng = np.random.default_rng([seed, _name_number(sample), look.number])
        side = round(plan.size / plan.tile_share) if plan.tiles else plan.size
        pixels = augment(pixels, WIDE if look.kind == "wide" else CLOSE_UP, side, rng, damage=look.painted)
    return make_views(pixels, plan)


def _name_number(sample: Sample) -> int:
    """A number in 0..2^32 that follows from the sample's name, so that a photo looks the same in any manifest."""
    return int(hashlib.sha256(sample.name.encode()).hexdigest()[:8], 16)


class FeatureCache:
    """Features of planned looks in one file, filled in order; a killed run goes on where it stopped."""

    def __init__(
        self, folder: Path, samples: Sequence[Sample], looks: Sequence[Look], plan: ViewPlan, seed: int
    ) -> None:
        """`folder` belongs to this cache alone. Raises `DatasetInvalid` where it holds another plan's features."""
        self._folder, self._samples, self._looks = folder, samples, looks
        self._plan, self._seed = plan, seed
        folder.mkdir(parents=True, exist_ok=True)
        self._identity = self._plan_identity()
        self._done = self._read_progress()
        side = features_side(plan.size)
        path, shape = folder / "features.npy", (len(looks), plan.count, side, side, CHANNELS)
        mode: Any = "r+" if self._done and path.exists() else "w+"
        self._done = self._done if mode == "r+" else 0
        self._array = np.lib.format.open_memmap(path, mode, np.float16, None if mode == "r+" else shape)

    def __len__(self) -> int:
        return len(self._looks)

    @property
    def missing(self) -> int:
        """Views whose features are still to be computed."""
        return len(self._looks) - self._done

    def fill(self, network: "keras.Sequential", advance: Callable[[int], object] = lambda _: None) -> None:
        """Compute what is missing with the network's frozen stages; `advance` gets the number of looks just done."""
        run = frozen_stages(network)
        for start, pixels in self._batches():
            features = run(pixels.reshape(-1, *pixels.shape[2:]))
            self._array[start : start + len(pixels)] = features.reshape(*pixels.shape[:2], *features.shape[1:])
            self._done = start + len(pixels)
            if start % (SAVED_EVERY * self._step) == 0 or not self.missing:
                self._write_progress()
            advance(len(pixels))

    @property
    def views(self) -> int:
        """Views a look has: the whole photo and its tiles."""
        return self._plan.count

    def read(self, looks: NDArray[np.integer], views: NDArray[np.integer] | None = None) -> Features:
        """Features of these looks, float32 (n, v, side, side, 1024); `views` (n, v) says which of each, or all."""
        if views is None:
            views = np.tile(np.arange(self.views), (len(looks), 1))
        return np.stack([self._array[look][chosen] for look, chosen in zip(looks, views, strict=True)]).astype(
            np.float32
        )

    @property
    def _step(self) -> int:
        """Looks computed at a time: about a batch of views."""
        return max(1, BATCH // self.views)

    def _batches(self) -> Iterator[tuple[int, Pixels]]:
        """What is missing, a step at a time; the next one is drawn while the network looks at this one."""
        starts = range(self._done, len(self._looks), self._step)
        with ThreadPoolExecutor(1, thread_name_prefix="render") as renderer:
            ahead: Future[Pixels] | None = None
            for start in starts:
                pixels = ahead.result() if ahead else self._render(start)
                ahead = renderer.submit(self._render, start + self._step) if start != starts[-1] else None
                yield start, pixels

    def _render(self, start: int) -> Pixels:
        looks = self._looks[start : start + self._step]
        return np.stack([render(self._samples[look.sample], look, self._plan, self._seed) for look in looks])

    def _plan_identity(self) -> str:
        names = [sample.name for sample in self._samples]
        looks = [list(asdict(look).values()) for look in self._looks]
        plan = [names, looks, asdict(self._plan), self._seed]
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
        self._array.flush()
        temporary = self._folder / "progress.json.new"
        temporary.write_text(json.dumps({"plan": self._identity, "done": self._done}))
        temporary.replace(self._folder / "progress.json")


def frozen_stages(network: "keras.Sequential") -> Callable[[Pixels], NDArray[np.float32]]:
    """conv1 to conv4 as one function of uint8 RGB (n, size, size, 3), output where conv5 reads it.

    Each BatchNormalization is folded into the convolution before it, which makes bfloat16 pay (measured: 2.4 times).
    """
    import keras
    import tensorflow as tf

    backbone = network.layers[0]
    layers = backbone.layers[:FROZEN_LAYERS]
    kernels = {layer.name: _folded(backbone, layer) for layer in layers if layer.name.endswith("_conv")}
    sources = {step.name: step.inputs for step in read_steps(backbone.get_config())}

    @tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(inputs: "tf.Tensor") -> "tf.Tensor":
        outputs: dict[str, Any] = {layers[0].name: inputs}
        for layer in layers[1:]:
            arrived = [outputs[name] for name in sources[layer.name]]
            if layer.name in kernels:
                kernel, bias = tf.constant(kernels[layer.name].kernel), tf.constant(kernels[layer.name].bias)
                convolved = tf.nn.conv2d(arrived[0], kernel, layer.strides, layer.padding.upper())
                outputs[layer.name] = tf.nn.bias_add(convolved, bias)
            elif isinstance(layer, keras.layers.BatchNormalization):
                outputs[layer.name] = arrived[0]
            else:
                outputs[layer.name] = layer(arrived if len(arrived) > 1 else arrived[0])
        return read_positions(outputs[FROZEN_OUTPUT])

    return lambda pixels: np.asarray(forward(tf.constant(preprocess(pixels))))


def _folded(backbone: "keras.Model", layer: "keras.layers.Conv2D") -> Convolution:
    """A convolution together with the BatchNormalization named like it."""
    following = backbone.get_layer(layer.name.removesuffix("conv") + "bn")
    scale, shift = normalisation(following.get_weights(), following.epsilon)
    return fold_normalisation(Convolution(*layer.get_weights()), scale, shift)
