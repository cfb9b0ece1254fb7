"""From a trained branch to an artefact: evidence fitted on photos never learnt from, all measured, the card written."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.model.artefact import Artefact, load_network, save_artefact
from core.model.card import Description, MetricSet, Outlines, Thresholds
from core.model.evidence import Evidence, combine, map_evidence
from core.model.outline_branch import KINDS
from core.training.assembly import training_sources
from core.training.calibration import operating_points, probabilities
from core.training.dataset import Sample
from core.training.evaluation import in_batches, views_of
from core.training.measures import measure, measure_by
from core.training.outline_recipe import OutlineRecipe
from core.training.outlines import Regions
from core.training.segmentation import agreements, covered_in_vain

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
Advance = Callable[[int], object]
# Of 56 x 56 cells: from 0.25 % of the photo to 8 %.
CELLS_TRIED = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class Maps:
    """What the model says of n photos before evidence is fitted: the head's logits (n,), maps of damage (n, c, c)."""

    head: Floats
    damage: NDArray[np.float32]


def map_photos(artefact: Artefact, samples: Sequence[Sample], advance: Advance = lambda _: None) -> Maps:
    """Run the model over every sample as serving does. Raises `PhotoRefused`, `DatasetInvalid`, `ModelUnusable`."""
    from core.model.engine import load_engine
    from core.model.inference import photo_evidence

    engine, card = load_engine(artefact), artefact.card
    head, damage = [], []
    for batch in in_batches(samples):
        outputs = engine.run(np.concatenate([views_of(sample, card) for sample in batch]))
        pooled, _ = photo_evidence(outputs, card)
        head.append(pooled.logits)
        damage.append(outputs.cells[:: card.input.plan.count, ..., 0])
        advance(len(batch))
    return Maps(np.concatenate(head), np.concatenate(damage))


def fit_evidence(maps: Maps, damaged: Truth, parts: Sequence[str]) -> Evidence:
    """How head and map make one calibrated logit: logistic regression, no weight negative, by the lowest loss.

    `parts` names the set that each photo is from; every set counts the same, and so do both labels in it. What would
    get a negative weight is left out.
    """
    weights = _even_weights(damaged, parts)
    fitted = [_fit(maps, damaged, weights, cells) for cells in CELLS_TRIED if cells <= maps.damage[0].size]
    return min(fitted, key=lambda pair: pair[0])[1]


def _fit(maps: Maps, damaged: Truth, weights: Floats, cells: int) -> tuple[float, Evidence]:
    """The weighted log loss of the evidence with so many largest cells, and the evidence."""
    from sklearn.linear_model import LogisticRegression

    largest, area = map_evidence(maps.damage, cells)
    columns = {"head": maps.head, "largest": largest, "area": area}
    while True:
        table = np.stack(list(columns.values()), axis=1)
        model = LogisticRegression(C=10.0, max_iter=1000).fit(table, damaged, sample_weight=weights)
        worst = int(np.argmin(model.coef_[0]))
        if model.coef_[0][worst] >= 0 or len(columns) == 1:
            break
        del columns[list(columns)[worst]]
    found = dict.fromkeys(("head", "largest", "area"), 0.0) | dict(zip(columns, model.coef_[0], strict=True))
    rounded = {name: round(float(value), 6) for name, value in found.items()}
    evidence = Evidence(cells=cells, bias=round(float(model.intercept_[0]), 6), **rounded)
    logits = combine(maps.head, maps.damage, evidence).logits
    loss = np.logaddexp(0.0, np.where(damaged, -logits, logits))
    return float(np.average(loss, weights=weights)), evidence


def _even_weights(damaged: Truth, parts: Sequence[str]) -> Floats:
    weights = np.ones(len(damaged))
    names = np.array(parts)
    for name in set(parts):
        for label in (False, True):
            chosen = (names == name) & (damaged == label)
            weights[chosen] = len(damaged) / max(1, chosen.sum())
    even: Floats = weights / weights.mean()
    return even


@dataclass(frozen=True, slots=True)
class Judges:
    """Photos never learnt from, by the name of their set: `fitted` decide evidence and threshold, `tested` nothing."""

    fitted: Mapping[str, Sequence[Sample]]
    tested: Mapping[str, Sequence[Sample]]
    outlines: Mapping[str, Regions]

    @property
    def sets(self) -> dict[str, Sequence[Sample]]:
        """All of them."""
        return {**self.fitted, **self.tested}


def assemble_outlined(
    base: Artefact,
    branch: "keras.Model",
    training: Sequence[Sample],
    judges: Judges,
    recipe: OutlineRecipe,
    folder: Path,
    description: Description,
    advance: Advance = lambda _: None,
) -> Artefact:
    """Write the network of `base` with its branch to `folder`, which must not exist yet.

    All figures come from the rounded weights through the serving engine. Raises `ModelUnusable`, `DatasetInvalid`.
    """
    network = load_network(base)
    cells = int(branch.output_shape[1])
    outlines = Outlines(cells=cells, kinds=KINDS, parameters=branch.count_params(), recipe=asdict(recipe))
    outlines = outlines.model_copy(update={"evidence": Evidence(cells=1)})
    draft = description.model_copy(update={"outlines": outlines, "temperature": 1.0})
    maps = _map_all(network, branch, draft, folder.with_name(f".{folder.name}-draft"), judges, advance)
    evidence, thresholds = _decide(maps, judges)
    outlines = outlines.model_copy(update={"evidence": evidence, "metrics": _outline_metrics(maps, judges)})
    card = draft.model_copy(
        update={
            "outlines": outlines,
            "thresholds": thresholds,
            "fitted": None,
            "training": training_sources(training),
            "metrics": _metrics(maps, judges, evidence, thresholds.photo),
        }
    )
    return save_artefact(network, card, folder, branch)


def _map_all(
    network: "keras.Sequential",
    branch: "keras.Model",
    draft: Description,
    scratch: Path,
    judges: Judges,
    advance: Advance,
) -> dict[str, Maps]:
    """What the drafted model says of every set."""
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        drafted = save_artefact(network, draft, scratch, branch)
        return {name: map_photos(drafted, part, advance) for name, part in judges.sets.items()}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _decide(maps: Mapping[str, Maps], judges: Judges) -> tuple[Evidence, Thresholds]:
    """Evidence and thresholds, from the sets that may decide and hold both labels."""
    names = [name for name, part in judges.fitted.items() if len({sample.damaged for sample in part}) == 2]
    samples = [sample for name in names for sample in judges.fitted[name]]
    damaged = np.array([sample.damaged for sample in samples])
    together = Maps(
        np.concatenate([maps[name].head for name in names]), np.concatenate([maps[name].damage for name in names])
    )
    parts = [name for name in names for _ in judges.fitted[name]]
    evidence = fit_evidence(together, damaged, parts)
    probability = probabilities(combine(together.head, together.damage, evidence).logits)
    return evidence, Thresholds(points=operating_points(probability, damaged))


def _metrics(maps: Mapping[str, Maps], judges: Judges, evidence: Evidence, threshold: float) -> dict[str, MetricSet]:
    metrics: dict[str, MetricSet] = {}
    for name, part in judges.sets.items():
        probability = probabilities(combine(maps[name].head, maps[name].damage, evidence).logits)
        damaged = np.array([sample.damaged for sample in part])
        metrics[name] = measure(probability, damaged, threshold)
        by_source = measure_by([sample.source for sample in part], probability, damaged, threshold)
        metrics |= {f"{name}: {source}": figures for source, figures in by_source.items()}
    return metrics


def _outline_metrics(maps: Mapping[str, Maps], judges: Judges) -> dict[str, float]:
    """Overlap and pointing on outlined photos, and what is covered in vain on intact ones, set by set."""
    found: dict[str, float] = {}
    for name, part in judges.sets.items():
        outlined = np.array([bool(judges.outlines.get(sample.name)) for sample in part])
        intact = np.array([not sample.damaged for sample in part])
        if outlined.any():
            chosen = [sample for sample, has in zip(part, outlined, strict=True) if has]
            for group, agreement in agreements(chosen, maps[name].damage[outlined], judges.outlines).items():
                said = {"per photo": agreement.per_photo, "pooled": agreement.pooled, "pointing": agreement.pointing}
                found |= {f"{name}, {group}: {what}": round(value, 4) for what, value in said.items()}
        if intact.any():
            found[f"{name}: intact area in vain"] = round(covered_in_vain(maps[name].damage[intact]), 5)
    return found
