from pathlib import Path

import pytest
from PIL import Image

from core.training.dataset import Sample
from core.training.leakage import Giveaway
from core.training.plots import dataset_plots, training_curves
from core.training.train import Epoch

PNG = b"\x89PNG"


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    made = []
    for number in range(8):
        path = tmp_path / f"{number}<b>.jpg"
        Image.new("RGB", (60, 40), (30 * number, 80, 90)).save(path)
        made.append(Sample(path, path.name, number % 2 == 0, "test", f"set{number // 2}", f"source{number % 3}"))
    return made


def test_curves_and_data_are_pictures(samples: list[Sample]) -> None:
    assert training_curves([Epoch(0.5, 0.4, 0.8), Epoch(0.3, 0.3, 0.9)], 1).startswith(PNG)
    assert dataset_plots(samples, [Giveaway("size", 0.55, 0.51)]).startswith(PNG)
