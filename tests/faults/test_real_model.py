"""Two scenarios once more with the real ResNet50 in every worker: the shipped model, on the rendered returns."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from core.model.inference import BatchingClassifier
from core.settings import SHIPPED_MODEL, load_settings
from core.testing.inline_loader import InlinePhotoLoader
from tests.faults.fleet import Return
from tests.faults.nursery import ROOT
from tests.faults.seeds import seeds
from tests.faults.system import System
from workers.bootstrap import make_artefact

DEMO = ROOT / "docs" / "demo" / "returns"
pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not SHIPPED_MODEL.exists(), reason=f"no trained model in {SHIPPED_MODEL}"),
    seeds(),
]


@pytest.fixture(scope="module")
def real_score() -> Iterator[Callable[[bytes], float]]:
    """The model's answer to a photo's bytes, decoded and scored here, one by one."""
    classifier = BatchingClassifier(make_artefact(load_settings()))
    loader = InlinePhotoLoader()

    @cache
    def score(data: bytes) -> float:
        views = np.asarray(loader.load(data, classifier.plan).views)
        return classifier.classify([views])[0].probability

    yield score
    classifier.close()


def _returns() -> list[Return]:
    photos: dict[str, dict[str, bytes]] = {}
    for file in sorted(DEMO.rglob("*.jpg")):
        folder = Path("returns", *file.relative_to(DEMO).parts[:-1]).as_posix()
        photos.setdefault(f"{folder}/", {})[file.name] = file.read_bytes()
    return [Return(set_key, pictures, has_manifest=True) for set_key, pictures in photos.items()]


@pytest.mark.scenario("2 with the real ResNet50")
def test_workers_die(run: System, seed: int, real_score: Callable[[bytes], float]) -> None:
    _start(run)
    run.upload(_returns())
    for _ in range(2):
        run.wait_until(lambda: run.leased() > 0 or run.verdicts() >= run.figures.sets)
        run.kill("worker")
        _start_worker(run, "worker")
    run.finish_well(real_score)


@pytest.mark.scenario("5 with the real ResNet50")
def test_a_short_grace(run: System, seed: int, real_score: Callable[[bytes], float]) -> None:
    _start(run)
    run.upload(_returns())
    for grace_s in (0.5, 90.0):
        run.wait_until(lambda: run.leased() > 0 or run.verdicts() >= run.figures.sets)
        run.stop("worker", grace_s)
        _start_worker(run, "worker")
    run.finish_well(real_score)


def _start(run: System) -> None:
    run.configure(lease=10, model=SHIPPED_MODEL)
    _start_worker(run, "worker")
    run.start_all(())


def _start_worker(run: System, name: str) -> None:
    """The command line itself, with nothing of ours in between."""
    run.start_fresh(name, "worker", folder=ROOT, module="cli.main")
