"""Training in two phases over cached features: the head alone, a committee, then conv5 with it at a low rate.

Whatever is random is drawn from the seed and the epoch's number, and every epoch leaves a checkpoint: a killed run goes
on from the last one as if nothing had happened. Epochs are chosen on validation; test is never looked at here.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetInvalid
from core.model.forward import prepare_tensorflow
from core.model.network import build_network
from core.model.precision import has_bfloat16
from core.training.calibration import log_loss
from core.training.committee import fit_members, merge
from core.training.dataset import Sample, of_split
from core.training.features import BATCH, FeatureCache, Features, Look, plan_training_looks
from core.training.recipe import Recipe
from core.training.tail import build_bag, build_tail, copy_back, head_layers

if TYPE_CHECKING:
    import keras

Report = Callable[[str, int, int], object]
Targets = NDArray[np.float32]
WARM_UP_STEPS = 100


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to: mean training loss, loss and accuracy on validation. The first is the head alone."""

    train_loss: float | None
    val_loss: float
    val_accuracy: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The network of the epoch with the lowest validation loss, and how all of them went; epoch 0 is the head alone."""

    network: "keras.Sequential"
    epochs: tuple[Epoch, ...]
    best: int


def train(
    samples: Sequence[Sample],
    recipe: Recipe,
    workspace: Path,
    base_weights: Path,
    report: Report = lambda *_: None,
) -> TrainingResult:
    """Train, or go on with, the run in `workspace`; `report(phase, done, of)` follows it.

    Raises `DatasetInvalid` where the workspace belongs to a run with another recipe or other photos, `PhotoRefused`.
    """
    prepare_tensorflow()
    import keras

    _claim(workspace, recipe)
    use_bfloat16(has_bfloat16())
    keras.utils.set_random_seed(recipe.seed)
    training, validation = of_split(samples, "train"), of_split(samples, "val")
    network = build_network(recipe.input_size, recipe.dropout, base_weights)
    looks = plan_training_looks(training, recipe.augmented, recipe.painted)
    cache = FeatureCache(workspace / "train", training, looks, recipe.plan, recipe.seed)
    clean = [Look(index, "clean") for index in range(len(validation))]
    judged = FeatureCache(workspace / "val", validation, clean, recipe.plan, recipe.seed)
    for name, part in (("looks to learn from", cache), ("looks to judge by", judged)):
        _fill(part, network, name, report)
    run = _Run(recipe, workspace, training, cache, looks, judged, np.array([s.damaged for s in validation]), report)
    tail = build_tail(network)
    run.train_head(tail)
    epochs = run.tune(tail)
    best = int(np.argmin([epoch.val_loss for epoch in epochs]))
    tail.load_weights(workspace / f"epoch{best}.weights.h5")
    copy_back(tail, network)
    use_bfloat16(False)  # what follows is measured as it is served
    return TrainingResult(network, tuple(epochs), best)


def _fill(cache: FeatureCache, network: "keras.Sequential", name: str, report: Report) -> None:
    cache.fill(network, lambda _: report(name, len(cache) - cache.missing, len(cache)))


def use_bfloat16(on: bool) -> None:
    """Whether functions traced from now on compute in bfloat16: 1.6 times as fast where the processor has it."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": on})


class _Run:
    """The two phases; everything they share."""

    def __init__(
        self,
        recipe: Recipe,
        workspace: Path,
        samples: Sequence[Sample],
        cache: FeatureCache,
        looks: Sequence[Look],
        judged: FeatureCache,
        truth: NDArray[np.bool_],
        report: Report,
    ) -> None:
        self._recipe, self._workspace, self._report = recipe, workspace, report
        self._cache, self._judged, self._truth = cache, judged, truth
        self._damaged = np.array([samples[look.sample].damaged or look.painted for look in looks])
        self._clean, self._altered, self._painted = _by_sample(looks, len(samples))

    def train_head(self, tail: "keras.Model") -> None:
        """Fit the head to what the untouched conv5 gives."""
        import keras

        path = self._workspace / "head.weights.h5"
        if path.exists():
            tail.load_weights(path)
            return
        layers = head_layers(tail)
        conv5 = keras.Model(tail.input, layers[0].input)
        chosen = np.array([index for pair in self._clean for index in pair])
        pooled = _in_batches(
            _inference(conv5), self._cache, chosen, lambda done, total: self._report("head: looks", done, total)
        )
        targets = self._damaged[chosen].astype(np.float32)[:, None]
        members = fit_members(
            pooled, targets, self._recipe, lambda done, total: self._report("head: members", done, total)
        )
        merge(members, layers)
        _write(path, tail.save_weights)

    def tune(self, tail: "keras.Model") -> list[Epoch]:
        """Train the tail epoch by epoch, from the last checkpoint where there is one."""
        import keras

        history = self._read_history()
        if len(history) > self._recipe.epochs:
            return history
        if history:
            bag = keras.saving.load_model(self._checkpoint(len(history) - 1))
            tail = bag.get_layer(tail.name)
        else:
            bag = build_bag(tail, self._recipe.views_drawn, self._recipe.pooling)
            steps = len(_steps(self._draw(1), self._recipe.looks))
            _compile(bag, _optimizer(self._recipe, steps * self._recipe.epochs), self._recipe)
        judge = _inference(build_bag(tail, self._judged.views, self._recipe.pooling))
        for epoch in range(len(history), self._recipe.epochs + 1):
            dropout = head_layers(tail)[0]
            dropout.seed_generator.state.assign([self._recipe.seed, epoch])  # a checkpoint does not keep it
            loss = self._one_epoch(bag, epoch) if epoch else None
            logits = _in_batches(judge, self._judged, np.arange(len(self._judged)))[:, 0]
            accuracy = float(((logits > 0) == self._truth).mean())
            history.append(Epoch(loss, log_loss(logits, self._truth), accuracy))
            _write(self._workspace / f"epoch{epoch}.weights.h5", tail.save_weights)
            _write(self._checkpoint(epoch), bag.save)
            self._write_history(history)  # last: until it is written, a run goes on from the epoch before
            self._checkpoint(epoch - 1).unlink(missing_ok=True)
        return history

    def _checkpoint(self, epoch: int) -> Path:
        return self._workspace / f"checkpoint{epoch}.keras"

    def _one_epoch(self, bag: "keras.Model", epoch: int) -> float:
        """One pass over what the epoch draws; its mean loss."""
        bag.reset_metrics()
        rng = np.random.default_rng([self._recipe.seed, 3, epoch])
        batches = _steps(self._draw(epoch), self._recipe.looks)
        loss = 0.0
        for number, looks in enumerate(batches, start=1):
            targets = self._damaged[looks].astype(np.float32)[:, None]
            features = self._cache.read(looks, self._draw_views(len(looks), rng))
            loss = float(np.ravel(bag.train_on_batch(features, [targets, targets])[0])[0])
            self._report(f"epoch {epoch} of {self._recipe.epochs}", number, len(batches))
        return loss  # Keras gives the mean since the metrics were reset

    def _draw_views(self, looks: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """The whole photo of each look and some of its tiles, (looks, views)."""
        tiles = rng.permuted(np.tile(np.arange(1, self._cache.views), (looks, 1)), axis=1)
        whole = np.zeros((looks, 1), dtype=np.intp)
        return np.concatenate([whole, tiles[:, : self._recipe.views_drawn - 1]], axis=1)

    def _draw(self, epoch: int) -> NDArray[np.intp]:
        """The looks of one epoch, shuffled: some of every photo, and painted twins of some intact ones."""
        rng = np.random.default_rng([self._recipe.seed, 2, epoch])
        drawn = []
        for clean, altered, painted in zip(self._clean, self._altered, self._painted, strict=True):
            for _ in range(self._recipe.drawn):
                pool = clean if not altered or rng.random() < self._recipe.clean else altered
                drawn.append(pool[rng.integers(len(pool))])
            if painted:
                drawn.append(painted[rng.integers(len(painted))])
        return rng.permutation(np.array(drawn, dtype=np.intp))

    def _read_history(self) -> list[Epoch]:
        path = self._workspace / "history.json"
        return [Epoch(**entry) for entry in json.loads(path.read_text())] if path.exists() else []

    def _write_history(self, history: Sequence[Epoch]) -> None:
        text = json.dumps([asdict(epoch) for epoch in history], indent=1)
        _write(self._workspace / "history.json", lambda path: path.write_text(text))


def _claim(workspace: Path, recipe: Recipe) -> None:
    """A workspace serves one recipe: a run with another must not go on from its features or checkpoints."""
    workspace.mkdir(parents=True, exist_ok=True)
    path = workspace / "recipe.json"
    text = json.dumps(asdict(recipe), indent=1)
    if path.exists() and path.read_text() != text:
        raise DatasetInvalid(f"{workspace} belongs to a run with another recipe; remove it or choose another folder")
    _write(path, lambda target: target.write_text(text))


def _by_sample(looks: Sequence[Look], samples: int) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """Indices of each sample's clean, altered and painted looks."""
    clean: list[list[int]] = [[] for _ in range(samples)]
    altered: list[list[int]] = [[] for _ in range(samples)]
    painted: list[list[int]] = [[] for _ in range(samples)]
    for index, look in enumerate(looks):
        kind = painted if look.painted else clean if look.kind in ("clean", "mirrored") else altered
        kind[look.sample].append(index)
    return clean, altered, painted


def _optimizer(recipe: Recipe, steps: int) -> "keras.optimizers.Optimizer":
    import keras

    warm_up = min(WARM_UP_STEPS, steps // 4)
    rate = keras.optimizers.schedules.CosineDecay(
        0.05 * recipe.learning_rate,
        steps - warm_up,
        alpha=0.02,
        warmup_target=recipe.learning_rate,
        warmup_steps=warm_up,
    )
    return keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, clipnorm=5.0)


def _compile(bag: "keras.Model", optimizer: "keras.optimizers.Optimizer", recipe: Recipe) -> None:
    """Both outputs learn the look's label, the whole view for itself a little, lest the tiles do all its work."""
    import keras

    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    # XLA gains nothing here, compiling costs.
    bag.compile(optimizer, [loss, loss], loss_weights=[1.0, recipe.whole_weight], jit_compile=False)


def _steps(order: NDArray[np.intp], batch: int) -> list[NDArray[np.intp]]:
    """Whole batches of an order; what is left over waits for another epoch, unless it is all there is."""
    return [order[at : at + batch] for at in range(0, len(order) - batch + 1, batch)] or [order]


def _inference(model: "keras.Model") -> Callable[[Features], Features]:
    """The model's (first) output for whole looks (n, views, ...). A model of single views gives (n, views, ...) too.

    Made once for each model: TensorFlow traces every new function again.
    """
    import tensorflow as tf

    forward = tf.function(lambda features: model(features, training=False), reduce_retracing=True)

    def of_looks(features: Features) -> Features:
        return np.asarray(forward(tf.constant(features))[0])

    def of_views(features: Features) -> Features:
        answer = np.asarray(forward(tf.constant(features.reshape(-1, *features.shape[2:]))))
        return answer.reshape(*features.shape[:2], *answer.shape[1:])

    return of_views if len(model.input_shape) == 4 else of_looks


def _in_batches(
    infer: Callable[[Features], Features],
    cache: FeatureCache,
    looks: NDArray[np.intp],
    advance: Callable[[int, int], object] = lambda *_: None,
) -> Features:
    """What `infer` gives for these looks of the cache, a batch at a time."""
    parts = []
    step = max(1, BATCH // cache.views)
    for at in range(0, len(looks), step):
        parts.append(infer(cache.read(looks[at : at + step])))
        advance(min(at + step, len(looks)), len(looks))
    return np.concatenate(parts)


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    """Write beside `path`, then move there: a kill leaves the old file or the new one."""
    temporary = path.with_name(f"new-{path.name}")
    write(temporary)
    temporary.replace(path)
