"""How many photos of vehicles are taken for something else, and how many of other things are: for docs/verdicts.md.

python -m studies.vehicles --data ../shared/data --others FOLDER

FOLDER holds photos of anything but vehicles. Each photo goes through the network once: a CPU takes several minutes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.model.artefact import Artefact, open_artefact
from core.settings import SHIPPED_MODEL
from core.training.dataset import SUFFIXES, Sample, of_split, read_samples
from core.training.evaluation import score_samples
from core.wilson import wilson_interval

_SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)


def photos_below(folder: Path) -> list[Sample]:
    """The photos below a folder as samples, whose labels mean nothing."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [Sample(path, path.name, damaged=False, split="test", group=path.name) for path in paths]


def measured(artefact: Artefact, samples: Sequence[Sample]) -> list[float]:
    """How unlike a vehicle each is, as serving measures it."""
    distances = [score.vehicle_distance for score in score_samples(artefact, samples)]
    return [distance for distance in distances if distance is not None]


def print_flagged(name: str, distances: Sequence[float], within: float) -> None:
    """How many lie beyond the limit, and how the distances are spread."""
    if not distances:
        return
    flagged = sum(distance > within for distance in distances)
    low, high = wilson_interval(flagged, len(distances))
    spread = ", ".join(f"{value:.3f}" for value in np.quantile(distances, _SHARES))
    print(
        f"{name:20} {flagged:4} of {len(distances)} flagged: {flagged / len(distances):.1%} ({low:.1%} to {high:.1%})"
    )
    print(f"{'':20} distances: {spread} (least, 5 %, median, 95 %, most)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    parser.add_argument("--every", type=int, default=1, help="Only every so many photos.")
    given = parser.parse_args()
    artefact = open_artefact(given.model)
    within = artefact.card.policy.vehicle_within
    assert within is not None
    print(f"{artefact.card.name}: something else lies beyond {within}")
    manifests = given.data / "dev" / "manifest.csv", given.data / "returns" / "returns.csv"
    test, returns = of_split(read_samples(manifests[0]), "test"), read_samples(manifests[1])
    for name, samples in (("dev, test", test), ("returns", returns)):
        chosen = samples[:: given.every]
        distances = measured(artefact, chosen)
        print_flagged(name, distances, within)
        for label, damaged in (("damaged", True), ("intact", False)):
            of_label = [far for sample, far in zip(chosen, distances, strict=True) if sample.damaged is damaged]
            print_flagged(f"  {label}", of_label, within)
    others = photos_below(given.others)[:: given.every]
    distances = measured(artefact, others)
    print_flagged("other things", distances, within)
    for sample, far in zip(others, distances, strict=True):
        if far <= within:
            print(f"  taken for a vehicle: {sample.name} ({far:.3f})")


if __name__ == "__main__":
    main()
