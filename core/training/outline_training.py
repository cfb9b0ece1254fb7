"""Training the branch on outlines: stages of the frozen network on disk, balanced views, resumable from its checkpoint.

The network stays as it is to the bit. The branch learns from conv3 and conv4 reduced to their principal components and
from conv5 as it is; at the end the reductions are merged into its first convolutions.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetInvalid
from core.model.folding import FoldedNetwork
from core.model.forward import prepare_tensorflow
from core.model.outline_branch import CELL, STAGES, build_branch
from core.model.precision import has_bfloat16
from core.training.dataset import Sample
from core.training.outline_loss import cell_loss, evidence, kind_loss
from core.training.outline_recipe import OutlineRecipe
from core.training.outlines import Regions
from core.training.sampling import balance, draw_epoch, telling
from core.training.stages import KEPT, Batch, Reduction, StageCache, frozen_stages, read_reductions
from core.training.train import use_bfloat16
from core.training.views import attributes_of, plan_views

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Report = Callable[[str, int, int], object]
SAVED_EVERY = 100  # steps
WARM_UP_STEPS = 200
TELLING = 0.60  # AUROC that framing and source may reach over what is drawn


def train_branch(
    network: FoldedNetwork,
    samples: Sequence[Sample],
    outlines: Mapping[str, Regions],
    size: int,
    recipe: OutlineRecipe,
    workspace: Path,
    report: Report = lambda *_: None,
    warn: Callable[[str], object] = lambda _: None,
) -> "keras.Model":
    """The branch trained on these samples (all of them: give training photos alone), for a network of this input size.

    Goes on with the run in `workspace`. `warn` is told where the photos cannot be balanced. Raises `PhotoRefused`, and
    `DatasetInvalid` where the workspace belongs to another run.
    """
    prepare_tensorflow()
    import keras

    _claim(workspace, recipe)
    use_bfloat16(has_bfloat16())
    keras.utils.set_random_seed(recipe.seed)
    views = plan_views(samples, outlines, recipe.seed, recipe.painted)[: recipe.views]
    cache = StageCache(workspace / "views", samples, views, outlines, size, recipe.seed)
    stages = frozen_stages(network)
    reductions = read_reductions(workspace / "reductions.npz", cache, stages, recipe.seed)
    cache.fill(stages, reductions, lambda done, of: report("views", done, of))
    weights = draw_weights(samples, cache, recipe, warn)
    branch = build_branch(size // CELL, (*KEPT, STAGES["conv5_block3_out"]))
    _Run(branch, cache, weights, recipe, workspace).train(report)
    use_bfloat16(False)
    return merge(branch, reductions, size // CELL)


def draw_weights(
    samples: Sequence[Sample], cache: StageCache, recipe: OutlineRecipe, warn: Callable[[str], object]
) -> NDArray[np.float64]:
    """How often each of the cache's views is drawn. Warns where framing and source still tell the label."""
    damaged = np.array([view.damaged for view in cache.views])
    if damaged.all() or not damaged.any():
        raise DatasetInvalid("the branch learns from damaged and intact photos; these are of one kind")
    attributes = attributes_of(samples, cache.views)
    weights = balance(damaged, attributes, recipe.plain)
    weights[[view.painted for view in cache.views]] *= recipe.painted_weight
    said = telling(damaged, attributes, weights)
    if said > TELLING:
        warn(
            f"source, framing and size tell the label with an AUROC of {said:.2f} over what is drawn (at most "
            f"{TELLING:.2f} is wanted): add photos of the label that a source lacks, or outlines to cut windows from"
        )
    return weights


class _Run:
    """The steps, and what has to survive a kill."""

    def __init__(
        self,
        branch: "keras.Model",
        cache: StageCache,
        weights: NDArray[np.float64],
        recipe: OutlineRecipe,
        workspace: Path,
    ) -> None:
        import tensorflow as tf

        self._branch, self._cache, self._weights = branch, cache, weights
        self._recipe, self._folder = recipe, workspace
        self._scale = tf.Variable([1.0, 0.0])  # from the largest cells' mean logit to the photo's
        self._optimizer = _optimizer(recipe)
        self._scale_optimizer = _scale_optimizer()
        self._step = tf.function(self._one_step, reduce_retracing=True)

    def train(self, report: Report) -> None:
        """Every step that is still to be done."""
        import tensorflow as tf

        counter = tf.Variable(0, dtype=tf.int64)
        self._optimizer.build(self._branch.trainable_variables)
        self._scale_optimizer.build([self._scale])
        checkpoint = tf.train.Checkpoint(
            branch=self._branch,
            optimizer=self._optimizer,
            scale=self._scale,
            scale_optimizer=self._scale_optimizer,
            step=counter,
        )
        manager = tf.train.CheckpointManager(checkpoint, str(self._folder / "steps"), max_to_keep=1)
        checkpoint.restore(manager.latest_checkpoint)
        for batch in self._batches(int(counter)):
            self._step(counter, *batch)
            counter.assign_add(1)
            done = int(counter)
            if done % SAVED_EVERY == 0 or done == self._recipe.steps:
                manager.save()
            report("steps", done, self._recipe.steps)

    def _one_step(self, number: "tf.Variable", *batch: Any) -> None:
        import tensorflow as tf

        *stages, known, mapped, damaged = batch
        seeds = [
            tf.stack([tf.cast(number, tf.int32), self._recipe.seed * len(stages) + at]) for at in range(len(stages))
        ]
        thinned = [
            tf.nn.experimental.stateless_dropout(tf.cast(stage, tf.float32), self._recipe.dropout, seed)
            for stage, seed in zip(stages, seeds, strict=True)
        ]
        with tf.GradientTape() as tape:
            logits = tf.cast(self._branch(thinned, training=True), tf.float32)
            crossing, dice = cell_loss(logits, known, mapped)
            photo = tf.nn.softplus(self._scale[0]) * evidence(logits) + self._scale[1]
            told = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(damaged, photo))
            loss = (
                crossing
                + self._recipe.dice * dice
                + self._recipe.kinds * kind_loss(logits, known)
                + self._recipe.evidence * told
            )
        variables = self._branch.trainable_variables
        *gradients, last = tape.gradient(loss, [*variables, self._scale])
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._scale_optimizer.apply_gradients([(last, self._scale)])

    def _batches(self, done: int) -> Iterator[tuple[NDArray[Any], ...]]:
        """What is left to learn from; the next batch is read while the branch learns from this one."""
        order = self._order()
        with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
            ahead: Future[tuple[NDArray[Any], ...]] | None = None
            for step in range(done, self._recipe.steps):
                batch = ahead.result() if ahead else self._read(order[step])
                ahead = reader.submit(self._read, order[step + 1]) if step + 1 < self._recipe.steps else None
                yield batch

    def _order(self) -> NDArray[np.intp]:
        """The views of every step, (steps, batch), from the seed alone."""
        count = self._recipe.steps * self._recipe.batch
        rng = np.random.default_rng([self._recipe.seed, 5])
        epochs = [draw_epoch(self._weights, len(self._weights), rng) for _ in range(-(-count // len(self._weights)))]
        return np.concatenate(epochs)[:count].reshape(self._recipe.steps, self._recipe.batch)

    def _read(self, chosen: NDArray[np.intp]) -> tuple[NDArray[Any], ...]:
        read: Batch = self._cache.read(chosen)
        views = [self._cache.views[view] for view in chosen]
        mapped = np.array([view.mapped for view in views], dtype=np.float32)
        return *read, mapped, np.array([view.damaged for view in views], dtype=np.float32)


def merge(branch: "keras.Model", reductions: tuple[Reduction, Reduction], cells: int) -> "keras.Model":
    """The same branch for the stages themselves: the reductions go into the two convolutions that read them."""
    merged = build_branch(cells)
    readers = dict(zip(("outline_conv3", "outline_conv4"), reductions, strict=True))
    for layer in merged.layers:
        weights = branch.get_layer(layer.name).get_weights()
        if weights:
            reduction = readers.get(layer.name)
            layer.set_weights(reduction.merge(*weights) if reduction else weights)
    return merged


def _optimizer(recipe: OutlineRecipe) -> "keras.optimizers.Optimizer":
    import keras

    warm_up = min(WARM_UP_STEPS, recipe.steps // 4)
    rate = keras.optimizers.schedules.CosineDecay(
        0.1 * recipe.learning_rate,
        recipe.steps - warm_up,
        alpha=0.02,
        warmup_target=recipe.learning_rate,
        warmup_steps=warm_up,
    )
    return keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, clipnorm=1.0)


def _scale_optimizer() -> "keras.optimizers.Optimizer":
    import keras

    return keras.optimizers.Adam(1e-2)


def _claim(workspace: Path, recipe: OutlineRecipe) -> None:
    """A workspace serves one recipe: a run with another must not go on from its stages or steps."""
    workspace.mkdir(parents=True, exist_ok=True)
    path, text = workspace / "recipe.json", json.dumps(asdict(recipe), indent=1)
    if path.exists() and path.read_text() != text:
        raise DatasetInvalid(f"{workspace} belongs to a run with another recipe; remove it or choose another folder")
    path.write_text(text)
