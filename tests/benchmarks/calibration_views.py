"""What the benchmarks calibrate int8 on: photos of the shared data's train split, or made ones where it is absent."""

import os
from pathlib import Path

from core.domain import Pixels
from core.model.card import Card
from core.photos.decode import load_photo
from core.training.dataset import of_split, read_samples
from core.training.evaluation import views_of
from core.training.quantisation import choose_evenly
from tests.benchmarks.measured import ROOT
from tests.benchmarks.photographs import photographs

DATA = Path(os.environ.get("WALKAROUND_DATA", ROOT.parent / "shared" / "data"))
MANIFEST = DATA / "dev" / "manifest.csv"


def calibration_views(card: Card, photos: int) -> list[Pixels]:
    """The views of so many photos. Made photos serve to measure speed; int8's answers are then worth nothing."""
    if not MANIFEST.exists():
        return [view for data in photographs(2) for view in load_photo(data, card.input.plan).views]
    samples = choose_evenly(of_split(read_samples(MANIFEST), "train"), photos)
    return [view for sample in samples for view in views_of(sample, card)]
