"""From a trained network to an artefact: calibrated on validation, measured on test, written with its card."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.model.artefact import Artefact, save_artefact
from core.model.card import Description, InputSpec, MetricSet, Thresholds, TrainingSource
from core.model.network import PREPROCESSING
from core.model.pooling import pool
from core.training.calibration import fit_pooling, fit_temperature, operating_points, probabilities
from core.training.dataset import Sample, of_split
from core.training.evaluation import view_logits
from core.training.measures import measure, measure_by
from core.training.recipe import Recipe

if TYPE_CHECKING:
    import keras


def assemble(
    network: "keras.Sequential",
    samples: Sequence[Sample],
    recipe: Recipe,
    inputs: InputSpec,
    folder: Path,
    name: str,
    now: datetime,
    advance: Callable[[int], object] = lambda _: None,
) -> Artefact:
    """Write the artefact to `folder`, which must not exist yet. Test is measured here, once, and decides nothing.

    All figures come from the rounded weights through the serving engine. Raises `ModelUnusable`, `DatasetInvalid`.
    """
    draft = Description(name=name, created_at=now, input=inputs, preprocessing=PREPROCESSING, git_revision=_revision())
    scratch = folder.with_name(f".{folder.name}-draft")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        artefact = save_artefact(network, draft, scratch)
        parts = {split: of_split(samples, split) for split in ("val", "test")}
        views = {split: view_logits(artefact, part, advance) for split, part in parts.items()}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    truth = {split: np.array([sample.damaged for sample in part]) for split, part in parts.items()}
    pooling = fit_pooling(views["val"], truth["val"])
    logits = {split: pool(part, pooling).logits for split, part in views.items()}
    temperature = fit_temperature(logits["val"], truth["val"])
    judged = {split: probabilities(part, temperature) for split, part in logits.items()}
    metrics: dict[str, MetricSet] = {}
    for split, part in parts.items():
        metrics[split] = measure(judged[split], truth[split], Thresholds().photo)
        by_source = measure_by([sample.source for sample in part], judged[split], truth[split], Thresholds().photo)
        metrics |= {f"{split}: {source}": figures for source, figures in by_source.items()}
    description = draft.model_copy(
        update={
            "pooling": pooling,
            "temperature": temperature,
            "thresholds": Thresholds(points=operating_points(judged["val"], truth["val"])),
            "training": training_sources(of_split(samples, "train")),
            "recipe": asdict(recipe),
            "metrics": metrics,
        }
    )
    return save_artefact(network, description, folder)


def training_sources(samples: Sequence[Sample]) -> tuple[TrainingSource, ...]:
    """What the model was trained on, by source and licence."""
    photos = Counter((sample.source, sample.licence) for sample in samples)
    damaged = Counter((sample.source, sample.licence) for sample in samples if sample.damaged)
    return tuple(
        TrainingSource(source=source, licence=licence, photos=count, damaged=damaged[source, licence])
        for (source, licence), count in sorted(photos.items())
    )


def _revision() -> str:
    """The revision of the checkout this runs from, or `unknown` where there is none."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (fixed arguments)
    return answer.stdout.strip() or "unknown"
