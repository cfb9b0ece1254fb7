"""A copy of a model with an int8 graph beside it, kept under build/ from one run to the next.

NNCF is in the bench venv alone: `make_int8` runs this module there, `quantised_model` is called there.
"""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from core.model.artefact import Artefact, open_artefact
from core.model.quantised import QUANTISED_CARD_FILE
from core.training.quantisation import quantise
from tests.benchmarks.calibration_views import calibration_views
from tests.benchmarks.environment import bench_python
from tests.benchmarks.measured import BUILD, ROOT

PHOTOS, FEW_PHOTOS = 100, 2


def make_int8(model: Path) -> Path:
    """The copy's folder, from any Python."""
    command = [str(bench_python("nncf")), "-m", "tests.benchmarks.int8_model", str(model)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    return _folder(model, PHOTOS)


def quantised_model(model: Path, *, small: bool) -> Artefact:
    """The copy, in the bench venv."""
    photos = FEW_PHOTOS if small else PHOTOS
    folder = _folder(model, photos)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(model, folder)
    artefact = open_artefact(folder)
    if not (folder / QUANTISED_CARD_FILE).exists():
        quantise(artefact, calibration_views(artefact.card, photos), datetime.now(UTC))
    return artefact


def _folder(model: Path, photos: int) -> Path:
    """One for each content, so that other weights or views are never measured by an older graph."""
    card = open_artefact(model).card
    return BUILD / "int8" / f"{card.weights_sha256[:12]}-{card.preprocess_sha256[:12]}-{photos}"


if __name__ == "__main__":
    quantised_model(Path(sys.argv[1]), small=False)
