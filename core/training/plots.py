"""Pictures of an evaluation, of a training run and of a data set, as PNG bytes."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.model.card import MetricSet
from core.training.dataset import Sample
from core.training.evaluation import Evaluation
from core.training.leakage import Giveaway
from core.training.train import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _WARM, _COOL, _PALE = "#22303c", "#c8553d", "#2f6f8f", "#d9dee3"


def evaluation_plots(evaluation: Evaluation) -> dict[str, bytes]:
    """Confusion matrix, precision over recall, reliability, and accuracy per source, by their titles."""
    return {
        "Confusion": _drawn(lambda axes: _confusion(axes, evaluation)),
        "Precision and recall": _drawn(lambda axes: _precision_recall(axes, evaluation)),
        "Reliability": _drawn(lambda axes: _reliability(axes, evaluation)),
        "Accuracy by source": _drawn(lambda axes: _by_group(axes, evaluation.by_source), width=7.0),
    }


def training_curves(epochs: Sequence[Epoch], best: int) -> bytes:
    """Losses and validation accuracy over the epochs; the chosen one is marked."""

    def draw(axes: "Axes") -> None:
        numbers = np.arange(len(epochs))
        losses = [np.nan if epoch.train_loss is None else epoch.train_loss for epoch in epochs]
        axes.plot(numbers, losses, "o-", color=_COOL, label="training loss")
        axes.plot(numbers, [epoch.val_loss for epoch in epochs], "o-", color=_WARM, label="validation loss")
        axes.plot(numbers, [1 - epoch.val_accuracy for epoch in epochs], "o--", color=_INK, label="validation error")
        axes.axvline(best, color=_PALE, linewidth=6, zorder=0)
        axes.set_xlabel("epoch (0: the head alone)")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)

    return _drawn(draw, width=6.0)


def dataset_plots(samples: Sequence[Sample], giveaways: Sequence[Giveaway]) -> bytes:
    """Photos per source and label; how well other things than damage predict the label."""

    def draw(axes: "Axes") -> None:
        counts = Counter((sample.source, sample.damaged) for sample in samples)
        sources = sorted({source for source, _ in counts})
        damaged = [counts[source, True] for source in sources]
        axes.barh(sources, damaged, color=_WARM, label="damaged")
        axes.barh(sources, [counts[source, False] for source in sources], left=damaged, color=_COOL, label="intact")
        axes.legend(frameon=False)
        told = ", ".join(f"{giveaway.name} {giveaway.accuracy:.2f}" for giveaway in giveaways)
        axes.set_xlabel(f"photos\nlabel predicted from: {told}")

    return _drawn(draw, width=8.0)


def _confusion(axes: "Axes", evaluation: Evaluation) -> None:
    called = evaluation.probability >= evaluation.card.thresholds.photo
    truth = evaluation.damaged
    counts = np.array([[np.sum((truth == t) & (called == c)) for c in (False, True)] for t in (False, True)])
    axes.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1.4)
    for row in range(2):
        for column in range(2):
            axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=_INK, fontsize=15)
    axes.set_xticks([0, 1], ["called intact", "called damaged"])
    axes.set_yticks([0, 1], ["intact", "damaged"])


def _precision_recall(axes: "Axes", evaluation: Evaluation) -> None:
    order = np.argsort(-evaluation.probability)
    hits = np.cumsum(evaluation.damaged[order])
    axes.plot(hits / max(1, hits[-1]), hits / np.arange(1, len(hits) + 1), color=_COOL)
    figures = evaluation.overall.measures
    if "recall" in figures:
        called = evaluation.probability >= evaluation.card.thresholds.photo
        axes.plot(figures["recall"].value, evaluation.damaged[called].mean() if called.any() else 1.0, "o", color=_WARM)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_ylim(0.4, 1.01)


def _reliability(axes: "Axes", evaluation: Evaluation) -> None:
    bins = np.minimum((evaluation.probability * 10).astype(int), 9)
    axes.plot([0, 1], [0, 1], color=_PALE, linewidth=3)
    for number in np.unique(bins):
        inside = bins == number
        said, share = evaluation.probability[inside].mean(), evaluation.damaged[inside].mean()
        axes.plot(said, share, "o", color=_WARM, markersize=4 + 12 * np.sqrt(inside.mean()))
    axes.set_xlabel("probability of damage, calibrated")
    axes.set_ylabel("share that is damaged")


def _by_group(axes: "Axes", groups: dict[str, MetricSet]) -> None:
    for row, figures in enumerate(groups.values()):
        accuracy = figures.measures["accuracy"]
        axes.plot([accuracy.low, accuracy.high], [row, row], color=_PALE, linewidth=6, solid_capstyle="round")
        axes.plot(accuracy.value, row, "o", color=_COOL)
        axes.text(1.005, row, f"{accuracy.value:.3f}  ({figures.photos})", va="center", color=_INK)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_xlim(right=1.0)
    axes.set_xlabel("accuracy with its 95 % interval")


def _drawn(draw: Callable[["Axes"], None], width: float = 4.2, height: float = 3.6) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()
